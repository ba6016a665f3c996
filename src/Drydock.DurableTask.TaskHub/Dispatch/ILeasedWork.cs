namespace Drydock.DurableTask.TaskHub.Dispatch;

/// <summary>Work that a hub shares with other processes: it holds a lease on each unit that it hands out.</summary>
internal interface ILeasedWork
{
    /// <summary>Makes the hand-out that of the unit as the transaction sees it; false if somebody else has the unit now.</summary>
    bool Attach(HandOut handOut);

    /// <summary>Nobody here holds the unit any more: whoever is ready may take it. Until then an answer to the old token still counts.</summary>
    void GiveBack(WorkUnit unit);
}
