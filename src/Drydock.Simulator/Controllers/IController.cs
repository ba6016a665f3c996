using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>What a controller is told to look at: a name, in a namespace or cluster-wide; the uid where one name is not enough.</summary>
internal readonly record struct ObjectKey(string? Namespace, string Name, string? Uid = null);

/// <summary>
/// Drives objects towards their desired state. Level-triggered: it is told which key to look at, never what happened, and may be
/// told too often. Runs on the cluster's one loop: no two calls at the same time, none may block.
/// </summary>
internal interface IController
{
    /// <summary>The keys a change makes worth looking at.</summary>
    IEnumerable<ObjectKey> Affected(Change change);

    /// <summary>Looks at one key and acts. Returns when to look again although nothing changed, or null.</summary>
    TimeSpan? Reconcile(ObjectKey key);
}
