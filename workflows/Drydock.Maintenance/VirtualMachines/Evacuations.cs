using Drydock.Kubernetes;
using Drydock.Maintenance.Node;

namespace Drydock.Maintenance.VirtualMachines;

/// <summary>Tells virtual machines that were asked to leave a node to stay: what KubeVirt was asked for it would do some day, when nobody expects it.</summary>
internal sealed class Evacuations(ICluster cluster)
{
    /// <summary>What is left behind of one that is not told so, one sentence.</summary>
    public static string StillMarked(ObjectRef vm, string why) =>
        $"Virtual machine {vm} is still marked for evacuation, so that it may leave later: {why.TrimEnd('.')}. If it must stay, see to it before a node can take it.";

    /// <summary>Withdraws the mark that makes KubeVirt migrate a machine again and again. Refused: this KubeVirt has no such call, or will not.</summary>
    public async Task<ActResult> WithdrawAsync(VmiSnapshot vmi, CancellationToken cancellationToken) => await cluster.CancelEvacuationAsync(vmi, cancellationToken) switch
    {
        { IsAccepted: true } => ActResult.Done with { Made = await MadeAsync(vmi, cancellationToken) },
        { Code: 400, Message: var words } => new(Verdict.Refused, $"KubeVirt does not take the evacuation back: {words?.TrimEnd('.')}."),
        _ => new(Verdict.Refused, "This KubeVirt has no evacuate/cancel (before 1.7): it makes another migration by itself."),
    };

    /// <summary>
    /// Withdraws the marks of the machines on a node, and the migrations that were made for them and have not begun to copy. Each by itself: what
    /// refuses is told in the problem. Safe to run twice.
    /// </summary>
    /// <param name="node">The node that they were to leave.</param>
    /// <param name="only">These machines, or null: all on the node.</param>
    /// <param name="isRetried">It is tried again after an exception: what another try may mend is thrown, after all else was done.</param>
    /// <param name="cancellationToken">Ends it between two changes.</param>
    /// <exception cref="ClusterException">Some was refused that another try may mend, and <paramref name="isRetried"/>.</exception>
    public async Task<UndoResult> WithdrawAsync(string node, IReadOnlyList<ObjectRef>? only, bool isRetried, CancellationToken cancellationToken)
    {
        List<string> done = [];
        List<string> problems = [];
        ClusterException? mendable = null;
        foreach (var vmi in await cluster.ListVmisOnNodeAsync(node, cancellationToken))
        {
            if (vmi.EvacuationNode != node || only?.Contains(vmi.Ref) == false)
            {
                continue;
            }

            try
            {
                if (await WithdrawAsync(vmi, cancellationToken) is { Verdict: not Verdict.Done } no)
                {
                    problems.Add(StillMarked(vmi.Ref, no.Message!));
                    continue;
                }

                if (await MadeAsync(vmi, cancellationToken) is { } made && (made.IsWaiting || made.IsScheduling))
                {
                    await cluster.DeleteMigrationAsync(new ObjectRef(vmi.Ref.Namespace, made.Name), made.Uid, cancellationToken);
                }

                done.Add(vmi.Ref.ToString());
            }
            catch (ClusterException refusal)
            {
                mendable = refusal.IsTransient || mendable is null ? refusal : mendable;
                problems.Add(StillMarked(vmi.Ref, refusal.Message));
            }
        }

        if (!isRetried && mendable is not null)
        {
            problems.Add($"Try again: drydock restore {node}");
        }

        return isRetried && mendable is not null
            ? throw new ClusterException(mendable.Kind, mendable.Verb, mendable.Resource, string.Join(' ', problems), mendable) { Code = mendable.Code, RetryAfter = mendable.RetryAfter }
            : new UndoResult(
                Verdict.Done, done.Count == 0 ? null : $"Told to stay: virtual machine {string.Join(", ", done)}.", problems.Count == 0 ? null : string.Join(' ', problems));
    }

    // Made while the mark was there, which may be later than anybody looked; withdrawing the mark does not end it (observed e).
    private async Task<ObservedMigration?> MadeAsync(VmiSnapshot vmi, CancellationToken cancellationToken) => VmObserver.MigrationOf(
        (await cluster.ListMigrationsAsync(vmi.Ref, cancellationToken)).Where(migration => migration is { IsEvacuation: true, IsFinished: false, IsBeingDeleted: false })
            .Select(migration => migration.PlacedBy(vmi)));
}

/// <summary>Machines to tell to stay.</summary>
/// <param name="Undo">Who says so, and of which node.</param>
/// <param name="Only">These, or null: all on the node.</param>
internal sealed record TellToStayInput(UndoInput Undo, IReadOnlyList<ObjectRef>? Only);

/// <summary>Tells machines that were asked to leave a node to stay.</summary>
internal sealed class TellToStayActivity(ICluster cluster, TimeProvider clock) : ClusterActivity<TellToStayInput, UndoResult>
{
    protected override async Task<UndoResult> RunAsync(TellToStayInput input, CancellationToken cancellationToken) =>
        await input.Undo.RefusalAsync(cluster, clock, cancellationToken)
        ?? await new Evacuations(cluster).WithdrawAsync(input.Undo.Node, input.Only, isRetried: true, cancellationToken);
}
