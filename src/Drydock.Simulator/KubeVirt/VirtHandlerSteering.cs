using System.Text.Json.Nodes;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Controllers;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// Annotations on a VM template or VMI that steer the simulated virt-handlers, as <c>fake-kubelet/…</c> steers the kubelets:
/// <c>copy</c>, <c>shutdown</c> (seconds), <c>not-migratable</c> (a reason), <c>failing-migrations</c> (a number), <c>copy-never-ends</c>, <c>copy-stalls</c>,
/// <c>abort-never-ends</c>, <c>target-never-ready</c> (<c>"true"</c>).
/// </summary>
internal static class VirtHandlerSteering
{
    public const string Prefix = "fake-virt-handler/";

    public static JsonObject Annotations(VirtualMachineSpec spec)
    {
        var annotations = new JsonObject
        {
            [Prefix + "copy"] = spec.Copy.TotalSeconds.ToString(),
            [Prefix + "shutdown"] = spec.Shutdown.TotalSeconds.ToString(),
        };
        annotations.Set(spec.NotMigratable, Prefix + "not-migratable");
        annotations.Set(spec.FailingMigrations > 0 ? spec.FailingMigrations.ToString() : null, Prefix + "failing-migrations");
        return annotations;
    }

    public static TimeSpan Copy(JsonObject vmi) => Seconds(vmi, "copy", 3);

    public static TimeSpan Shutdown(JsonObject vmi) => Seconds(vmi, "shutdown", 1);

    public static string? NotMigratable(JsonObject vmi) => vmi.Annotation(Prefix + "not-migratable");

    public static int FailingMigrations(JsonObject vmi) => int.TryParse(vmi.Annotation(Prefix + "failing-migrations"), out var number) ? number : 0;

    public static bool Is(JsonObject vmi, string what) => vmi.Annotation(Prefix + what) == "true";

    private static TimeSpan Seconds(JsonObject vmi, string what, double otherwise) =>
        TimeSpan.FromSeconds(double.TryParse(vmi.Annotation(Prefix + what), out var seconds) ? seconds : otherwise);
}
