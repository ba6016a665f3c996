using System.Text.Json;

namespace Drydock.Kubernetes.Reading;

/// <summary>KubeVirt's objects: only the fields that decide something.</summary>
internal static class KubeVirtSnapshots
{
    private const int DefaultPerCluster = 5;
    private const int DefaultPerNode = 2;

    public static KubeVirtSnapshot KubeVirt(JsonElement kubeVirt)
    {
        var migrations = kubeVirt.At("spec", "configuration", "migrations");
        return new KubeVirtSnapshot(
            kubeVirt.Ref(),
            kubeVirt.Text("spec", "configuration", "evictionStrategy"),
            migrations.Number("parallelMigrationsPerCluster") ?? DefaultPerCluster,
            migrations.Number("parallelOutboundMigrationsPerNode") ?? DefaultPerNode,
            kubeVirt.Text("status", "observedKubeVirtVersion"),
            kubeVirt.Map("metadata", "labels").GetValueOrDefault("app.kubernetes.io/managed-by") == "hco-operator"
                || kubeVirt.At("metadata", "ownerReferences").Items().Any(owner => owner.Text("kind") == "HyperConverged"));
    }

    public static VmiSnapshot Vmi(JsonElement vmi) => new(vmi.Ref(), vmi.Uid(), NullIfEmpty(vmi.Text("status", "nodeName")))
    {
        Phase = vmi.Text("status", "phase") ?? "",
        EvictionStrategy = vmi.Text("spec", "evictionStrategy"),
        LiveMigratable = vmi.Condition("LiveMigratable"),
        Ready = vmi.Condition("Ready"),
        MigrationUid = NullIfEmpty(vmi.Text("status", "migrationState", "migrationUid")),
        MigrationTarget = NullIfEmpty(vmi.Text("status", "migrationState", "targetNode")),
        PodScheduled = vmi.Condition("PodScheduled"),
        Synchronized = vmi.Condition("Synchronized"),
        IsBeingDeleted = vmi.IsBeingDeleted(),
        EvacuationNode = NullIfEmpty(vmi.Text("status", "evacuationNodeName")),
        Controller = vmi.Controller(),
        Annotations = vmi.Map("metadata", "annotations"),
        CreatedAt = vmi.CreatedAt(),
    };

    public static VmSnapshot Vm(JsonElement vm)
    {
        var annotations = vm.Map("metadata", "annotations");
        return new VmSnapshot(vm.Ref(), vm.Uid(), vm.ResourceVersion())
        {
            RunStrategy = vm.Text("spec", "runStrategy"),
            Running = vm.Flag("spec", "running"),
            TemplateEvictionStrategy = vm.Text("spec", "template", "spec", "evictionStrategy"),
            PrintableStatus = vm.Text("status", "printableStatus"),
            HasStateChangeRequests = vm.At("status", "stateChangeRequests").Items().Any(),
            StateChangeRequests = [.. vm.At("status", "stateChangeRequests").Items().Select(static request => request.Text("action")).OfType<string>()],
            Annotations = annotations,
            Controller = vm.Controller(),
            Mark = Marks.From(annotations),
        };
    }

    public static MigrationSnapshot Migration(JsonElement migration)
    {
        var phase = migration.Text("status", "phase") ?? "";
        var state = migration.At("status", "migrationState");
        var vmi = new ObjectRef(migration.Ref().Namespace, migration.Text("spec", "vmiName") ?? "");
        return new MigrationSnapshot(migration.Ref(), migration.Uid(), vmi)
        {
            Phase = phase,
            PhaseSince = migration.At("status", "phaseTransitionTimestamps").Items()
                .Where(transition => transition.Text("phase") == phase)
                .Select(transition => transition.Time("phaseTransitionTimestamp")).LastOrDefault(),
            CreatedAt = migration.CreatedAt(),
            SourceNode = NullIfEmpty(state.Text("sourceNode"))
                ?? migration.Map("metadata", "annotations").GetValueOrDefault("kubevirt.io/evacuationMigration"),
            TargetNode = NullIfEmpty(state.Text("targetNode")),
            FailureReason = NullIfEmpty(state.Text("failureReason")),
            IsBeingDeleted = migration.IsBeingDeleted(),
            Conditions = migration.Conditions(),
            IsEvacuation = migration.Map("metadata", "annotations").ContainsKey("kubevirt.io/evacuationMigration"),
        };
    }

    public static EventSnapshot Event(JsonElement recorded) => new(
        recorded.Text("type") == "Warning",
        recorded.Text("reason") ?? "",
        recorded.Text("message") ?? "",
        recorded.Time("series", "lastObservedTime") ?? recorded.Time("lastTimestamp") ?? recorded.Time("eventTime") ?? recorded.CreatedAt());

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}

/// <summary>Leases.</summary>
internal static class LeaseSnapshots
{
    /// <summary>Set on the lease by a cancel, seen by every activity before it changes anything.</summary>
    public const string Cancelled = "drydock.dev/cancelled";

    public static LeaseSnapshot From(JsonElement lease) => new(
        string.IsNullOrEmpty(lease.Text("spec", "holderIdentity")) ? null : lease.Text("spec", "holderIdentity"),
        lease.Time("spec", "renewTime"),
        TimeSpan.FromSeconds(lease.Number("spec", "leaseDurationSeconds") ?? 0),
        lease.Map("metadata", "annotations").GetValueOrDefault(Cancelled) == "true");
}
