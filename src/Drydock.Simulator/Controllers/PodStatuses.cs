using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>The status a kubelet writes for a running pod.</summary>
internal static class PodStatuses
{
    /// <summary>Whether a running pod should be Ready: its containers are, and all its gates are open.</summary>
    public static bool WantsReady(JsonObject pod) =>
        !pod.IsSteered("never-ready")
        && !IsInterrupted(pod)
        && pod.Objects("spec", "readinessGates").All(gate => pod.IsTrue(gate.Text("conditionType") ?? string.Empty));

    /// <summary>The containers have started.</summary>
    public static void Run(JsonObject pod, Machine machine, DateTimeOffset now)
    {
        var status = pod.Ensure("status");
        status["observedGeneration"] = pod.Number("metadata", "generation") ?? 1;
        status["phase"] = "Running";
        var ready = !pod.IsSteered("never-ready");
        SetPodCondition(pod, "PodScheduled", true, now);
        SetPodCondition(pod, "PodReadyToStartContainers", true, now);
        SetPodCondition(pod, "Initialized", true, now);
        SetPodCondition(pod, "ContainersReady", ready, now);
        UpdateReady(pod, now);
        var address = machine.NextPodAddress();
        status["hostIP"] = machine.Address;
        status["hostIPs"] = new JsonArray(new JsonObject { ["ip"] = machine.Address });
        status["podIP"] = address;
        status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = address });
        status["startTime"] = now.Timestamp();
        status["containerStatuses"] = new JsonArray([.. pod.Objects("spec", "containers").Select(each => Started(pod, each, now, ready, 0))]);
        if (pod.Objects("spec", "initContainers").Any())
        {
            status["initContainerStatuses"] =
                new JsonArray([.. pod.Objects("spec", "initContainers").Select(each => Started(pod, each, now, true, 0))]);
        }
    }

    /// <summary>Its images cannot be had: it stays Pending.</summary>
    public static void CannotPull(JsonObject pod) => pod.Ensure("status")["containerStatuses"] = new JsonArray([.. pod.Objects("spec", "containers").Select(static each => new JsonObject
    {
        ["name"] = each.Text("name"),
        ["image"] = each.Text("image"),
        ["imageID"] = "",
        ["ready"] = false,
        ["restartCount"] = 0,
        ["state"] = new JsonObject { ["waiting"] = new JsonObject { ["reason"] = "ImagePullBackOff", ["message"] = $"Back-off pulling image \"{each.Text("image")}\"" } },
    })]);

    /// <summary>Whether a running pod has containers that have ended and are to be started again.</summary>
    public static bool IsInterrupted(JsonObject pod) =>
        pod.Objects("status", "containerStatuses").Any(container => container.At("state", "running") is null);

    /// <summary>How often the containers of a pod were started again.</summary>
    public static int Restarts(JsonObject pod) => (int)pod.Objects("status", "containerStatuses").Sum(each => each.Number("restartCount") ?? 0);

    /// <summary>The containers have ended, with the machine or by themselves; the kubelet is going to start them again.</summary>
    public static void Interrupt(JsonObject pod, DateTimeOffset now, int exitCode)
    {
        foreach (var container in pod.Objects("status", "containerStatuses"))
        {
            container["state"] = Pods.Terminated(container.Text("state", "running", "startedAt"), now, exitCode);
            container["ready"] = false;
            container["started"] = false;
        }

        SetPodCondition(pod, "ContainersReady", false, now);
        UpdateReady(pod, now);
    }

    /// <summary>The containers were started again.</summary>
    public static void Restart(JsonObject pod, DateTimeOffset now)
    {
        foreach (var container in pod.Objects("status", "containerStatuses"))
        {
            container["restartCount"] = (int)(container.Number("restartCount") ?? 0) + 1;
            container["lastState"] = container["state"]!.DeepClone();
            container["state"] = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = now.Timestamp() } };
            container["ready"] = !pod.IsSteered("never-ready");
            container["started"] = true;
        }

        SetPodCondition(pod, "ContainersReady", !pod.IsSteered("never-ready"), now);
        UpdateReady(pod, now);
    }

    public static void UpdateReady(JsonObject pod, DateTimeOffset now)
    {
        if (WantsReady(pod))
        {
            SetPodCondition(pod, "Ready", true, now);
            pod.Condition("Ready")!.Remove("reason");
            pod.Condition("Ready")!.Remove("message");
            return;
        }

        SetPodCondition(pod, "Ready", false, now);
        if (pod.IsSteered("never-ready") || IsInterrupted(pod))
        {
            var names = string.Join(' ', pod.Objects("spec", "containers").Select(each => each.Text("name")));
            pod.SetCondition("Ready", "False", now, "ContainersNotReady", $"containers with unready status: [{names}]");
        }
        else
        {
            pod.SetCondition("Ready", "False", now, "ReadinessGatesNotReady", GateMessage(pod));
        }
    }

    public static void SetPodCondition(JsonObject pod, string type, bool value, DateTimeOffset now)
    {
        pod.SetCondition(type, value ? "True" : "False", now);
        var condition = pod.Condition(type)!;
        condition["lastProbeTime"] = null;
    }

    private static string GateMessage(JsonObject pod) => string.Join(", ", pod.Objects("spec", "readinessGates")
        .Select(gate => gate.Text("conditionType") ?? string.Empty)
        .Where(type => !pod.IsTrue(type))
        .Select(type => pod.Condition(type) is null
            ? $"corresponding condition of pod readiness gate \"{type}\" does not exist."
            : $"the status of pod readiness gate \"{type}\" is not \"True\", but {pod.Condition(type).Text("status")}"));

    private static JsonObject Started(JsonObject pod, JsonObject container, DateTimeOffset now, bool ready, int restarts)
    {
        var image = container.Text("image") ?? string.Empty;
        return new()
        {
            ["name"] = container.Text("name"),
            ["state"] = new JsonObject { ["running"] = new JsonObject { ["startedAt"] = now.Timestamp() } },
            ["lastState"] = new JsonObject(),
            ["ready"] = ready,
            ["restartCount"] = restarts,
            ["image"] = image,
            ["imageID"] = $"{image}@sha256:{PodTemplates.Hash(image)}",
            ["containerID"] = $"containerd://{pod.UidOf()}-{container.Text("name")}",
            ["started"] = true,
        };
    }
}
