namespace Drydock.Maintenance;

/// <summary>Whether somebody wants the maintenance to stop. Every step asks; every wait ends when it is so.</summary>
internal sealed class CancelWish(TaskOrchestrationContext context)
{
    private readonly Task<Cancel> _cancel = context.WaitForExternalEvent<Cancel>(MaintenanceEvents.Cancel);

    /// <summary>Completed once somebody said so.</summary>
    public Task Said => _cancel;

    /// <summary>How the maintenance ends if somebody said so, else null: go on.</summary>
    public async Task<MaintenanceEnd?> EndAsync() =>
        _cancel.IsCompleted ? new MaintenanceEnd(MaintenanceOutcome.Cancelled, Why(await _cancel)) : null;

    /// <summary>What becomes of migrations that run, once somebody said so.</summary>
    /// <param name="otherwise">If he did not say what.</param>
    public async Task<CancelledMigrations> MigrationsAsync(CancelledMigrations otherwise) =>
        _cancel.IsCompleted ? (await _cancel).Migrations ?? otherwise : otherwise;

    private static string Why(Cancel cancel) => $"Cancelled by {cancel.By}{(cancel.Reason is { Length: > 0 } reason ? $": {reason.TrimEnd('.')}" : "")}.";
}
