using System.Reflection;
using Drydock.Kubernetes;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>The cluster, for an account that may not do everything.</summary>
public class LimitedCluster : DispatchProxy
{
    private ICluster _cluster = null!;

    private Func<AccessRule, bool> _mayNot = null!;

    /// <summary>The cluster, for an account that may do all but that.</summary>
    internal static ICluster Without(ICluster cluster, Func<AccessRule, bool> mayNot)
    {
        var proxy = Create<ICluster, LimitedCluster>();
        ((LimitedCluster)(object)proxy)._cluster = cluster;
        ((LimitedCluster)(object)proxy)._mayNot = mayNot;
        return proxy;
    }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args) =>
        targetMethod!.Name == nameof(ICluster.GetMissingAccessAsync)
            ? Task.FromResult<IReadOnlyList<AccessRule>>([.. ((IReadOnlyList<AccessRule>)args![0]!).Where(_mayNot)])
            : targetMethod.Invoke(_cluster, args);
}
