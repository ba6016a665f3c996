namespace Drydock.Maintenance;

/// <summary>One node, from plan to restore (design section 6).</summary>
internal sealed class MaintenanceOrchestrator : TaskOrchestrator<MaintenanceRequest, MaintenanceReport>
{
    public override Task<MaintenanceReport> RunAsync(TaskOrchestrationContext context, MaintenanceRequest input) =>
        new MaintenanceRun(context, input).RunAsync();
}
