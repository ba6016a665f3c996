namespace Drydock.Maintenance;

/// <summary>
/// A part of a maintenance that is to go on for as long as that: started, and started again if it ends before its time, be it that somebody
/// ended it or that it failed.
/// </summary>
/// <param name="context">Of the maintenance.</param>
/// <param name="orchestration">What the part runs.</param>
/// <param name="id">Its instance id.</param>
/// <param name="again">The input of the next start, from that of the last.</param>
/// <param name="tell">Told why it ended before its time.</param>
internal sealed class PartKeeper<TInput, TResult>(
    TaskOrchestrationContext context, string orchestration, string id, Func<TInput, TInput> again, Action<string> tell)
    where TInput : class
{
    /// <summary>What fails again and again is started no more often than that.</summary>
    private static readonly TimeSpan Seldom = TimeSpan.FromMinutes(1);

    private TInput? _input;
    private Task<TResult>? _part;
    private Task? _again;
    private DateTimeOffset _since;

    /// <summary>To wait for: each time one is completed, <see cref="BookAsync"/>. None before the start and after the end.</summary>
    public IReadOnlyList<Task> Tasks => _part is null ? [] : [_again ?? _part];

    /// <summary>Starts it.</summary>
    public void Start(TInput input)
    {
        (_input, _since, _again) = (input, context.Now(), null);
        _part = context.CallSubOrchestratorAsync<TResult>(orchestration, input, new TaskOptions().WithInstanceId(id));
    }

    /// <summary>If it is started again, then with that changed.</summary>
    public void NextInput(Func<TInput, TInput> change) => _input = change(_input!);

    /// <summary>Starts it again if it is over; gives its result then, if it has one.</summary>
    public async Task<TResult?> BookAsync()
    {
        if (_again is { IsCompleted: true })
        {
            StartAgain();
        }
        else if (_again is null && _part is { IsCompleted: true })
        {
            var (result, failure) = await OverAsync();
            tell(failure ?? "somebody told it to end");
            if (context.Now() - _since < Seldom)
            {
                _again = context.CreateTimer(_since + Seldom, CancellationToken.None);
            }
            else
            {
                StartAgain();
            }

            return result;
        }

        return default;
    }

    /// <summary>Ends it; gives its result, if it has one that was not given before.</summary>
    public async Task<TResult?> EndAsync()
    {
        context.SendEvent(id, ChildEvents.End, "end");
        var (result, _) = await OverAsync();
        var isNews = _again is null;
        _part = null;
        return isNews ? result : default;
    }

    private void StartAgain() => Start(again(_input!));

    private async Task<(TResult? Result, string? Failure)> OverAsync()
    {
        try
        {
            return (await _part!, null);
        }
        catch (TaskFailedException failure)
        {
            return (default, failure.Sentence().TrimEnd('.'));
        }
    }
}
