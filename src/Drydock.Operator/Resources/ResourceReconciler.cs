using System.Text.Json.Nodes;
using Drydock.Kubernetes;

namespace Drydock.Operator.Resources;

/// <summary>What a reconcile of our own resources always does: finalizer, deletion, status. The rest is the kind's.</summary>
/// <typeparam name="T">What the spec becomes.</typeparam>
internal abstract class ResourceReconciler<T>(IDrydockResources resources, DurableTaskClient client, TimeProvider clock) : IReconciler
    where T : class
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(200);

    // A feed may lose a change when it reconnects; nothing may hang on that.
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    /// <inheritdoc/>
    public abstract string Kind { get; }

    /// <summary>Our name of the kind.</summary>
    protected abstract DrydockKind Type { get; }

    /// <summary>The orchestration that its instances are.</summary>
    protected abstract string Orchestration { get; }

    /// <summary>The client that starts, signals and reads instances.</summary>
    protected DurableTaskClient Client => client;

    /// <summary>When the finalizer goes although its instance is not over: nobody could ever delete it otherwise.</summary>
    protected virtual TimeSpan LongestDeletion => TimeSpan.FromHours(1);

    /// <summary>The time.</summary>
    protected DateTimeOffset Now => clock.GetUtcNow();

    /// <inheritdoc/>
    public IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken) => resources.WatchAsync(Type, cancellationToken);

    /// <inheritdoc/>
    public async Task<ReconcileResult> ReconcileAsync(string name, CancellationToken cancellationToken)
    {
        if (await resources.GetAsync(Type, name, cancellationToken) is not { } resource)
        {
            await EndOrphansAsync(cancellationToken);
            return new ReconcileResult(null);
        }

        var id = IdOf(resource);
        var instance = await client.GetInstanceAsync(id, getInputsAndOutputs: true, cancellationToken);
        var isOurs = instance is not null && RequestedBy(instance) == By(resource);
        if (resource.DeletionRequestedAt is { } since)
        {
            return await DeleteAsync(resource, since, isOurs ? instance : null, cancellationToken);
        }

        // What is over is over, also when the hub has forgotten it: its status stays, and nothing begins again.
        if (instance is null && IsOver(resource))
        {
            return new ReconcileResult(null);
        }

        if (!resource.HasFinalizer && !await resources.SetFinalizerAsync(resource, present: true, cancellationToken))
        {
            return new ReconcileResult(id, Soon);
        }

        var reading = await ReadAsync(resource, isOurs ? instance : null, cancellationToken);
        if (reading.Request is not { } request)
        {
            await WriteAsync(resource, "Invalid", reading.Problem!, [], [new("Accepted", false, "Invalid", reading.Problem!)], cancellationToken);
            return new ReconcileResult(id);
        }

        if (instance is { IsCompleted: false } && !isOurs)
        {
            var taken = $"There is one of that name already, set up by {RequestedBy(instance) ?? "somebody else"}.";
            await WriteAsync(resource, "Conflict", taken, [], [new("Accepted", false, "NameTaken", taken)], cancellationToken);
            return new ReconcileResult(id, LookAgain);
        }

        if (await StepAsync(resource, request, isOurs ? instance : null, cancellationToken))
        {
            return new ReconcileResult(id, Soon);
        }

        await ProjectAsync(resource, instance!, cancellationToken);
        return new ReconcileResult(id, instance!.IsCompleted ? null : LookAgain);
    }

    /// <inheritdoc/>
    public async Task EndOrphansAsync(CancellationToken cancellationToken)
    {
        var known = (await resources.ListAsync(Type, cancellationToken)).Select(By).ToHashSet(StringComparer.Ordinal);
        var running = new OrchestrationQuery(
            Statuses: [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended],
            FetchInputsAndOutputs: true);
        await foreach (var instance in client.GetAllInstancesAsync(running).WithCancellation(cancellationToken))
        {
            if (instance.Name == Orchestration && RequestedBy(instance) is { } by && by.StartsWith(Prefix, StringComparison.Ordinal)
                && !known.Contains(by) && await IsGoneAsync(by, cancellationToken))
            {
                await EndAsync(instance, by, cancellationToken);
            }
        }
    }

    /// <summary>Its status tells an end that its spec, as it is now, came to.</summary>
    protected abstract bool IsOver(DrydockResource resource);

    /// <summary>The instance of a resource.</summary>
    protected abstract string IdOf(DrydockResource resource);

    /// <summary>Who asked for an instance.</summary>
    protected abstract string? RequestedBy(OrchestrationMetadata instance);

    /// <summary>Reads the spec.</summary>
    /// <param name="resource">The resource.</param>
    /// <param name="instance">What was started for it, or null: nothing was.</param>
    /// <param name="cancellationToken">Gives up.</param>
    protected abstract Task<SpecReading<T>> ReadAsync(DrydockResource resource, OrchestrationMetadata? instance, CancellationToken cancellationToken);

    /// <summary>Starts or steers what the spec asks for; true if something was done, so that it is looked at again.</summary>
    protected abstract Task<bool> StepAsync(DrydockResource resource, T request, OrchestrationMetadata? instance, CancellationToken cancellationToken);

    /// <summary>Says the instance in the fields of the status.</summary>
    protected abstract Task ProjectAsync(DrydockResource resource, OrchestrationMetadata instance, CancellationToken cancellationToken);

    /// <summary>Tells an instance to end; may be told twice.</summary>
    protected abstract Task EndAsync(OrchestrationMetadata instance, string by, CancellationToken cancellationToken);

    /// <summary>The same, of one whose resource has been on its way out for that long.</summary>
    protected virtual Task EndLateAsync(OrchestrationMetadata instance, string by, TimeSpan waited, CancellationToken cancellationToken) =>
        EndAsync(instance, by, cancellationToken);

    /// <summary>Who an instance of this resource is asked for by.</summary>
    protected string By(DrydockResource resource) => $"{Prefix}{resource.Name}/{resource.Uid}";

    /// <summary>Writes the status.</summary>
    protected Task WriteAsync(
        DrydockResource resource,
        string phase,
        string message,
        JsonObject more,
        IReadOnlyList<ResourceCondition> conditions,
        CancellationToken cancellationToken)
    {
        var status = ResourceStatus.Of(resource, phase, message).With(resource, Now, conditions);
        foreach (var (name, value) in more)
        {
            status[name] = value?.DeepClone();
        }

        return resources.WriteStatusAsync(resource, status, cancellationToken);
    }

    private string Prefix => Kind.ToLowerInvariant() + "/";

    // The list of a type that is not served is empty too, such as while its definition is replaced: gone is what the server says is gone.
    private async Task<bool> IsGoneAsync(string by, CancellationToken cancellationToken) =>
        await resources.GetAsync(Type, by[Prefix.Length..].Split('/')[0], cancellationToken) is not { } found || By(found) != by;

    private async Task<ReconcileResult> DeleteAsync(
        DrydockResource resource, DateTimeOffset since, OrchestrationMetadata? instance, CancellationToken cancellationToken)
    {
        if (!resource.HasFinalizer)
        {
            return new ReconcileResult(null);
        }

        if (instance is { IsCompleted: false } && Now - since < LongestDeletion)
        {
            await EndLateAsync(instance, By(resource), Now - since, cancellationToken);
            await ProjectAsync(resource, instance, cancellationToken);
            return new ReconcileResult(instance.InstanceId, LookAgain);
        }

        return await resources.SetFinalizerAsync(resource, present: false, cancellationToken)
            ? new ReconcileResult(null)
            : new ReconcileResult(null, Soon);
    }
}
