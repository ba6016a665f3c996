namespace Drydock.DurableTask;

/// <summary>An activity as the worker sees it.</summary>
public interface ITaskActivity
{
    /// <summary>The type the input is read as.</summary>
    Type InputType { get; }

    /// <summary>The type of the output.</summary>
    Type OutputType { get; }

    /// <summary>Does the work. May run more than once for one call: after a crash nobody knows how far it came.</summary>
    Task<object?> RunAsync(TaskActivityContext context, object? input);
}

/// <summary>One step with side effects. May run more than once for one call: after a crash nobody knows how far it came.</summary>
public abstract class TaskActivity<TInput, TOutput> : ITaskActivity
{
    /// <inheritdoc/>
    Type ITaskActivity.InputType => typeof(TInput);

    /// <inheritdoc/>
    Type ITaskActivity.OutputType => typeof(TOutput);

    /// <summary>Does the work.</summary>
    public abstract Task<TOutput> RunAsync(TaskActivityContext context, TInput input);

    /// <inheritdoc/>
    async Task<object?> ITaskActivity.RunAsync(TaskActivityContext context, object? input)
    {
        ArgumentNullException.ThrowIfNull(context);
        return await RunAsync(context, TaskInput.As<TInput>(input));
    }
}

/// <summary>Makes activities of functions.</summary>
public static class FuncTaskActivity
{
    /// <summary>An activity that runs the function.</summary>
    public static TaskActivity<TInput, TOutput> Create<TInput, TOutput>(
        Func<TaskActivityContext, TInput, Task<TOutput>> implementation)
    {
        ArgumentNullException.ThrowIfNull(implementation);
        return new Implementation<TInput, TOutput>(implementation);
    }

    private sealed class Implementation<TInput, TOutput>(Func<TaskActivityContext, TInput, Task<TOutput>> implementation)
        : TaskActivity<TInput, TOutput>
    {
        public override Task<TOutput> RunAsync(TaskActivityContext context, TInput input) => implementation(context, input);
    }
}

/// <summary>What an activity knows about its call.</summary>
public abstract class TaskActivityContext
{
    /// <summary>The name under which the activity was called.</summary>
    public abstract TaskName Name { get; }

    /// <summary>The orchestration that called.</summary>
    public abstract string InstanceId { get; }

    /// <summary>The version that was called; empty if unversioned.</summary>
    public virtual string Version => string.Empty;
}

/// <summary>What Drydock's worker offers an activity beyond the official surface; under another worker all of it does nothing.</summary>
public static class TaskActivityContextExtensions
{
    /// <summary>
    /// Cancelled when the activity should end: its result is not waited for any more (the orchestration was terminated, purged or
    /// replaced, a limit has passed, the hub gave it to somebody else), or the worker stops and will not wait longer; in the last case
    /// it is handed out again.
    /// </summary>
    public static CancellationToken GetCancellationToken(this TaskActivityContext context) =>
        context is ICancellableActivityContext cancellable ? cancellable.CancellationToken : CancellationToken.None;

    /// <summary>
    /// Tells the hub that the activity goes on, which restarts its heartbeat timeout. If nobody waits for its result any more, its
    /// cancellation token trips. A hub that cannot be reached, or keeps no limits, is no error.
    /// </summary>
    /// <param name="context">The activity.</param>
    /// <param name="progress">
    /// How far it has come, for <see cref="GetProgress{T}"/> of the next attempt and for clients (<c>GetActivityProgressAsync</c>); null leaves
    /// what was said before.
    /// </param>
    public static Task HeartbeatAsync(this TaskActivityContext context, object? progress = null) =>
        context is ICancellableActivityContext cancellable ? cancellable.HeartbeatAsync(progress) : Task.CompletedTask;

    /// <summary>
    /// What the last heartbeat of an earlier attempt said: of this very call, or of one that failed and that a retry policy or handler follows
    /// up. The hub stores it within about a second, so that it is there after its restart and on its other servers.
    /// </summary>
    public static T? GetProgress<T>(this TaskActivityContext context) =>
        context is ICancellableActivityContext cancellable ? cancellable.GetProgress<T>() : default;
}

/// <summary>The context of a worker that can cancel activities.</summary>
internal interface ICancellableActivityContext
{
    CancellationToken CancellationToken { get; }

    Task HeartbeatAsync(object? progress);

    T? GetProgress<T>();
}
