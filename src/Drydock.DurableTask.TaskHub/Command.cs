using Drydock.DurableTask.TaskHub.State;

namespace Drydock.DurableTask.TaskHub;

/// <summary>Something to do on the hub's thread, and somebody who waits for it.</summary>
internal abstract class Command
{
    /// <summary>Whether it takes part in the transaction; the others run after it.</summary>
    public required bool Writes { get; init; }

    /// <summary>The instances that it is about, as far as they are known before.</summary>
    public IReadOnlyList<string> Touched { get; init; } = [];

    /// <summary>The completion token of the item that it ends.</summary>
    public string? Token { get; init; }

    /// <summary>Does it. A refusal is kept for the caller; anything else that is thrown fails the whole transaction.</summary>
    public abstract void Apply(HubState state);

    /// <summary>Tells the caller, once the transaction is on disk.</summary>
    public abstract void Acknowledge();

    public abstract void Fail(Exception cause);
}

internal sealed class Command<T>(Func<HubState, T> apply) : Command
{
    // The caller goes on elsewhere: the hub's thread must not run its code.
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T _result = default!;
    private Exception? _refusal;

    public Task<T> Done => _done.Task;

    public override void Apply(HubState state)
    {
        _refusal = null;
        try
        {
            _result = apply(state);
        }
        catch (Exception e) when (e is TaskHubException or TaskHubBindingException)
        {
            _refusal = e;
        }
    }

    public override void Acknowledge()
    {
        if (_refusal is null)
        {
            _done.TrySetResult(_result);
        }
        else
        {
            _done.TrySetException(_refusal);
        }
    }

    public override void Fail(Exception cause) => _done.TrySetException(cause);
}
