using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>How far the start of a scenario has come, counted from the changes: asked after every step, it looks at no pod again.</summary>
internal sealed class StartProgress
{
    private readonly Dictionary<(string? Namespace, string? App), int> _pods = [];
    private readonly HashSet<string> _onTheirWay = [];
    private readonly IDisposable _subscription;

    public StartProgress(IObjectStore store) => _subscription = store.Subscribe(Follow);

    /// <summary>Whether every pod that can run does.</summary>
    public bool AllPodsStand => _onTheirWay.Count == 0;

    /// <summary>Whether a workload has as many pods as it is to have.</summary>
    public bool HasItsPods(WorkloadSpec spec)
    {
        var pods = _pods.GetValueOrDefault((spec.Namespace, spec.Name));

        return spec.Kind == "daemonSet" ? pods > 0 : pods >= (spec.Kind == "pod" ? 1 : spec.Replicas);
    }

    /// <summary>Counts no more.</summary>
    public void End() => _subscription.Dispose();

    private void Follow(Change change)
    {
        if (!change.Type.Equals(ResourceTypes.Pods))
        {
            return;
        }

        if (change.Before is { } before)
        {
            Count(before, -1);
        }

        var pod = change.Object;
        if (change.Kind is not ChangeKind.Deleted)
        {
            Count(pod, 1);
        }

        if (change.Kind is ChangeKind.Deleted || pod.IsFinished() || pod.IsReady() || IsMeantToWait(pod))
        {
            _onTheirWay.Remove(pod.UidOf());
        }
        else
        {
            _onTheirWay.Add(pod.UidOf());
        }
    }

    private void Count(JsonObject pod, int sign)
    {
        var key = (pod.NamespaceOf(), pod.Label("app"));
        _pods[key] = _pods.GetValueOrDefault(key) + sign;
    }

    private static bool IsMeantToWait(JsonObject pod) =>
        pod.IsSteered("never-ready") || pod.IsSteered("never-start") || pod.Condition("PodScheduled").Text("reason") == "Unschedulable";
}
