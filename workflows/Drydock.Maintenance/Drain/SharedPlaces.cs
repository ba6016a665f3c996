namespace Drydock.Maintenance.Drain;

/// <summary>Places whose number may change at any time. Whoever comes first enters first.</summary>
/// <param name="places">How many there are now; at least one.</param>
internal sealed class SharedPlaces(Func<int> places)
{
    private readonly Lock _gate = new();
    private readonly LinkedList<TaskCompletionSource> _waiting = [];
    private int _taken;

    /// <summary>Waits until there is a place; it is taken until <see cref="Leave"/>.</summary>
    public async Task EnterAsync(CancellationToken cancellationToken)
    {
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            _waiting.AddLast(turn);
            LetIn();
        }

        using var gaveUp = cancellationToken.UnsafeRegister(_ => GiveUp(turn, cancellationToken), null);
        await turn.Task;
    }

    /// <summary>Gives a place back, if there are still as many to the next who waits. Fewer than before: until so many have left, nobody enters.</summary>
    public void Leave()
    {
        lock (_gate)
        {
            _taken--;
            LetIn();
        }
    }

    // Nobody waits while nothing is taken, since there is always one place: whatever the number becomes, somebody's leave finds it.
    private void LetIn()
    {
        while (_waiting.First is { } first && _taken < Math.Max(1, places()))
        {
            _waiting.RemoveFirst();
            _taken++;
            first.Value.SetResult();
        }
    }

    private void GiveUp(TaskCompletionSource turn, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_waiting.Remove(turn))
            {
                turn.SetCanceled(cancellationToken);
            }
        }
    }
}
