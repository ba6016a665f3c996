using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// KubeVirt's webhook on evictions of virt-launcher pods: it refuses with 429 and marks the VMI for evacuation instead, as its eviction
/// strategy says. The refusals have neither reason nor details, as recorded.
/// </summary>
public sealed class EvictionInterceptor(IObjectStore store) : IEvictionAdmission
{
    private const string Webhook = "admission webhook \"virt-launcher-eviction-interceptor.kubevirt.io\" denied the request: ";

    /// <inheritdoc/>
    public void Review(EvictionReview review)
    {
        var pod = review.Pod;
        ReviewHotplug(pod);
        if (!pod.IsLauncher() || pod.IsFinished() || pod.Controller() is not { } owner || owner.Text("kind") != "VirtualMachineInstance"
            || store.Get(KubeVirtTypes.Instances, pod.NamespaceOf(), owner.Text("name")!) is not { } vmi)
        {
            return;
        }

        var marked = vmi.Text("status", "evacuationNodeName") is { Length: > 0 };
        if (!Intercepts(vmi))
        {
            return;
        }

        var triggered = $"Eviction triggered evacuation of VMI \"{vmi.NamespaceOf()}/{vmi.NameOf()}\"";
        if (marked)
        {
            throw Refuse($"Evacuation in progress: {triggered}");
        }

        if (pod.Node() != vmi.InstanceNode())
        {
            throw Refuse("Eviction request for target Pod");
        }

        if (!review.DryRun)
        {
            Mark(vmi);
        }

        throw Refuse(triggered);
    }

    // Only while the launcher it serves runs.
    private void ReviewHotplug(JsonObject pod)
    {
        if (pod.Label("kubevirt.io") == HotplugPods.Label && pod.Controller() is { } owner
            && store.Get(ResourceTypes.Pods, pod.NamespaceOf(), owner.Text("name")!) is { } launcher
            && launcher.IsLauncher() && !launcher.IsFinished() && launcher.Annotation("kubevirt.io/domain") is { } vmi)
        {
            throw new ApiException(
                429, null,
                "admission webhook \"hotplug-pod-eviction-interceptor.kubevirt.io\" denied the request: "
                + $"cannot evict hotplug pod: {pod.NameOf()} associated with running vmi: {vmi} in namespace {pod.NamespaceOf()}");
        }
    }

    private static bool Intercepts(JsonObject vmi) => (vmi.EvictionStrategy(), vmi.IsMigratable()) switch
    {
        ("LiveMigrate", false) => throw Refuse($"VMI {vmi.NameOf()} is configured with an eviction strategy but is not live-migratable"),
        ("LiveMigrate", true) or ("LiveMigrateIfPossible", true) or ("External", _) => true,
        _ => false,
    };

    private static ApiException Refuse(string message) => new(429, null, Webhook + message);

    private void Mark(JsonObject vmi) => store.Update(KubeVirtTypes.Instances, vmi.NamespaceOf(), vmi.NameOf(), current =>
    {
        current.Ensure("status")["evacuationNodeName"] = current.InstanceNode();
        return true;
    });
}
