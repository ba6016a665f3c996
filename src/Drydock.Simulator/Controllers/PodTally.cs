using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>How many pods of each controller there are, counted from the changes: a pod that changes costs no look at all the others.</summary>
internal sealed class PodTally
{
    private readonly Dictionary<string, Counts> _counts = [];

    /// <summary>Takes one change of a pod into account; each once, in their order, from the first on.</summary>
    public void Follow(Change change)
    {
        if (change.Before is { } before)
        {
            Count(before, -1);
        }

        if (change.Kind is not ChangeKind.Deleted)
        {
            Count(change.Object, 1);
        }
    }

    /// <summary>The pods that an owner controls.</summary>
    public Counts Of(string ownerUid) => _counts.GetValueOrDefault(ownerUid);

    private void Count(JsonObject pod, int sign)
    {
        if (pod.Controller().Text("uid") is not { } owner)
        {
            return;
        }

        var active = pod.IsActive();
        var now = _counts.GetValueOrDefault(owner);
        now = new(
            now.Active + (active ? sign : 0),
            now.Ready + (active && pod.IsReady() ? sign : 0),
            now.Terminating + (pod.IsDeleting() && !pod.IsFinished() ? sign : 0),
            now.All + sign);
        if (now.All == 0)
        {
            _counts.Remove(owner);
        }
        else
        {
            _counts[owner] = now;
        }
    }

    /// <summary>The pods of one owner.</summary>
    /// <param name="Active">Neither finished nor being deleted.</param>
    /// <param name="Ready">Active and ready.</param>
    /// <param name="Terminating">Being deleted and not finished.</param>
    /// <param name="All">All of them.</param>
    [StructLayout(LayoutKind.Auto)]
    public readonly record struct Counts(int Active, int Ready, int Terminating, int All);
}
