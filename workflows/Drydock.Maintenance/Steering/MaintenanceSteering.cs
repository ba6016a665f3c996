namespace Drydock.Maintenance.Steering;

/// <summary>Suspend, resume and extend of one maintenance: what came is obeyed once, kept in the status, and told to the parts.</summary>
internal sealed class MaintenanceSteering(TaskOrchestrationContext context, MaintenanceProgress progress)
{
    private Task<Steer> _next = context.WaitForExternalEvent<Steer>(MaintenanceEvents.Steer);

    /// <summary>Completed if there is something to take.</summary>
    public Task News => _next;

    /// <summary>Nothing new is begun, and no deadline passes.</summary>
    public bool IsSuspended => progress.Suspension is not null;

    /// <summary>When the step in hand must be over, as it stands now; null: never, or not while it is suspended.</summary>
    public DateTimeOffset? Deadline => IsSuspended ? null : progress.Deadline;

    /// <summary>Obeys all that has come, in order, and gives what the parts must hear.</summary>
    public async Task<IReadOnlyList<ChildSteer>> TakeAsync()
    {
        List<ChildSteer> obeyed = [];
        while (_next.IsCompleted)
        {
            var steer = await _next;
            _next = context.WaitForExternalEvent<Steer>(MaintenanceEvents.Steer);
            if (Obey(steer))
            {
                obeyed.Add(new ChildSteer(steer.Kind, context.Now()) { From = steer.From, To = steer.To });
            }
        }

        return obeyed;
    }

    private bool Obey(Steer steer)
    {
        if (steer.Key is { } key && progress.Steers.Any(before => before.Key == key))
        {
            return false;
        }

        var record = new SteerRecord(steer.Kind, steer.By, steer.Reason, context.Now()) { From = steer.From, To = steer.To, Key = steer.Key };
        switch (steer)
        {
            case { Kind: SteerKind.Suspend } when !IsSuspended:
                progress.Suspend(record);
                return true;
            case { Kind: SteerKind.Resume } when IsSuspended:
                progress.Resume(record);
                return true;
            case { Kind: SteerKind.Extend, From: { } from, To: { } to } when progress.Deadline == from && to > from:
                progress.Extend(record, to);
                return true;
            default:
                return false;
        }
    }
}
