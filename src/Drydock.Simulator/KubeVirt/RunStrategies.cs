using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>Run strategies and the state change requests that stand in for them where a strategy keeps its name.</summary>
internal static class RunStrategies
{
    /// <summary>The run strategy, also of a VM that still has the deprecated field <c>running</c>.</summary>
    public static string Of(JsonNode? vm) =>
        vm.At("spec", "running") is not null ? vm.Flag("spec", "running") ? "Always" : "Halted" : vm.Text("spec", "runStrategy") ?? "Halted";

    public static bool HasStartRequest(JsonObject vm) => First(vm).Text("action") == "Start";

    public static bool HasStopRequest(JsonObject vm, JsonObject vmi) =>
        First(vm) is { } first && first.Text("action") == "Stop" && first.Text("uid") == vmi.UidOf();

    public static JsonObject Stop(JsonObject vmi) => new() { ["action"] = "Stop", ["uid"] = vmi.UidOf() };

    public static JsonObject Start() => new() { ["action"] = "Start" };

    public static void Request(JsonObject vm, params JsonObject[] requests) =>
        vm.Ensure("status")["stateChangeRequests"] = new JsonArray([.. requests.Select(each => (JsonNode)each.Copy())]);

    /// <summary>Drops the first request if it has come true; the others were not acted upon yet.</summary>
    public static void DropDone(JsonObject vm, JsonObject? vmi)
    {
        var done = First(vm) is { } first && (first.Text("action") == "Stop" ? vmi is null || vmi.UidOf() != first.Text("uid") : vmi is not null);
        if (!done)
        {
            return;
        }

        var requests = (JsonArray)vm.At("status", "stateChangeRequests")!;
        requests.RemoveAt(0);
        if (requests.Count == 0)
        {
            vm.Ensure("status").Remove("stateChangeRequests");
        }
    }

    private static JsonObject? First(JsonObject vm) => vm.Objects("status", "stateChangeRequests").FirstOrDefault();
}
