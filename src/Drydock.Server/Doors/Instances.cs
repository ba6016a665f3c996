using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;

namespace Drydock.Server;

/// <summary>How instances are named, started and found.</summary>
internal static class Instances
{
    private const int LargestPage = 1000;

    /// <summary>The states of an instance that is not over.</summary>
    public static readonly IReadOnlyList<OrchestrationRuntimeStatus> NotOver =
        [OrchestrationRuntimeStatus.Pending, OrchestrationRuntimeStatus.Running, OrchestrationRuntimeStatus.Suspended];

    /// <summary>Starts under this id at most once for as long as the hub remembers it.</summary>
    public static StartOrchestrationOptions StartOnce(string id) => new StartOrchestrationOptions(id).WithDedupeStatuses(
        [.. NotOver, OrchestrationRuntimeStatus.Completed, OrchestrationRuntimeStatus.Failed, OrchestrationRuntimeStatus.Terminated]);

    /// <summary>Starts under this id unless one is under way; one that is over is replaced.</summary>
    public static StartOrchestrationOptions StartUnlessRunning(string id) =>
        new StartOrchestrationOptions(id).WithDedupeStatuses([.. NotOver]);

    /// <summary>A new id that tells a person what and when.</summary>
    public static string NewId(string prefix, TimeProvider clock) =>
        $"{prefix}-{clock.GetUtcNow():yyyyMMddHHmmss}-{RandomNumberGenerator.GetHexString(8, lowercase: true)}";

    /// <summary>The id that belongs to an idempotency key.</summary>
    public static string KeyedId(string prefix, string key) =>
        $"{prefix}-key-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(key)))[..20]}";

    /// <summary>All instances of an orchestration without input, output and custom status.</summary>
    public static async IAsyncEnumerable<OrchestrationMetadata> HeadsAsync(
        DurableTaskClient client, string orchestration, bool onlyRunning, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var query = new OrchestrationQuery(Statuses: onlyRunning ? NotOver : null, PageSize: LargestPage);
        await foreach (var instance in client.GetAllInstancesAsync(query).WithCancellation(cancellationToken))
        {
            if (instance.Name == orchestration)
            {
                yield return instance;
            }
        }
    }

    /// <summary>All instances of an orchestration that are not over, with input and custom status.</summary>
    public static async IAsyncEnumerable<OrchestrationMetadata> RunningAsync(
        DurableTaskClient client, string orchestration, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var head in HeadsAsync(client, orchestration, onlyRunning: true, cancellationToken))
        {
            if (await client.GetInstanceAsync(head.InstanceId, getInputsAndOutputs: true, cancellationToken) is { IsCompleted: false } instance)
            {
                yield return instance;
            }
        }
    }
}

/// <summary>Which hub this is: part of every lease holder's identity.</summary>
internal sealed class HubIdentity(Func<Guid> read)
{
    /// <summary>The id, stable for the life of the hub.</summary>
    public string Id => read().ToString("n");
}
