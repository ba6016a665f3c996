using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>
/// An example of every body that is sent or answered, made of the records themselves: what a record loses, its example cannot go on showing.
/// </summary>
internal static class ApiExamples
{
    private static readonly DateTimeOffset At = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);

    private static readonly Dictionary<Type, object> ByType = All().ToDictionary(static example => example.GetType());

    /// <summary>The example for a body of that type, or null if there is none.</summary>
    /// <param name="type">What the body is read as.</param>
    /// <param name="operation">The operation: not every field goes with every one.</param>
    public static JsonNode? Of(Type type, string? operation = null)
    {
        object? example = type == typeof(VirtualMachineCall) ? CallOf(operation) : ByType.GetValueOrDefault(type);
        return example is null ? null : JsonSerializer.SerializeToNode(example, type, ApiJson.Options);
    }

    /// <summary>The problem of an answer with that code.</summary>
    public static JsonNode? OfProblem(int status) => JsonSerializer.SerializeToNode(ProblemOf(status), ApiJson.Options);

    private static IEnumerable<object> All() =>
    [
        .. Requests(), Maintenance(), new MaintenanceList([Maintenance()], "m-node-7-20260301020000-a1b2"), Plan(), new PlansView(CanStart: true) { Plans = [Plan()] },
        new PodList([Pod()], null), new VmList([Vm()], null), History(), Node(), new NodeList([Node()], "node-7"),
        Rollout(), new RolloutList([Rollout()], null), Window(), new WindowList([Window()], null),
        Machine(), new VirtualMachineList([Machine()], null),
        new VirtualMachineCallView("v-db-20260301020000-c3d4", "shop", "db", IsChanged: true, "It migrated to node-8.") { RunStrategyBefore = "Always", RunStrategyAfter = "Always", Status = "Running" },
    ];

    private static IEnumerable<object> Requests() =>
    [
        new MaintenanceCreate
        {
            Node = "node-7",
            Reason = "fan 2",
            Action = "Hold",
            Drain = new DrainSettings { Timeout = "1h" },
            VirtualMachines = new VirtualMachineSettings { OnStuck = "Stop" },
            Health = new HealthSettings { StableFor = "30s" },
        },
        new PlanCreate { Nodes = ["node-7", "node-8"], Drain = new DrainSettings { Timeout = "1h" } },
        new CancelRequest("the spare part is missing"),
        new MaintenanceCancelRequest("the spare part is missing", "Finish"),
        new CompleteRequest(),
        new DecisionRequest("CHG-4711 is approved"),
        new SteerRequest("the storage is being repaired"),
        new ExtendRequest("30m", "the fan takes longer"),
        new CallbackRequest(Succeeded: true, "Firmware 2.1 is on."),
        RolloutRequest(),
        new RolloutNodeRequest("node-9", "it is being replaced"),
        new WindowCreate
        {
            Name = "nightly",
            Cron = "0 2 * * *",
            Duration = "3h",
            TimeZone = "Europe/Berlin",
            Blackouts = ["2026-12-24/2026-12-26"],
            OnClose = "Pause",
            Rollout = RolloutRequest(),
        },
    ];

    private static VirtualMachineCall CallOf(string? operation) => operation switch
    {
        "StopVm" => new VirtualMachineCall { GracePeriod = "2m" },
        "RestartVm" => new VirtualMachineCall { GracePeriod = "0s" },
        "MigrateVm" => new VirtualMachineCall { ToNode = "node-8" },
        _ => new VirtualMachineCall(),
    };

    private static RolloutCreate RolloutRequest() => new()
    {
        Selector = "node-role.kubernetes.io/worker",
        KubeletBelow = "v1.33.0",
        MaxUnavailablePercent = 10,
        Canary = 1,
        Soak = "30m",
        FailureBudget = 2,
        Maintenance = new MaintenanceSettings { Action = "Reboot" },
        Reason = "kernel 6.12",
    };

    private static MaintenanceView Maintenance() => new("m-node-7-20260301020000-a1b2", "node-7", MaintenanceState.Running, "Drain", "Evicting pods and moving virtual machines.")
    {
        Reason = "fan 2",
        RequestedBy = "ada",
        Action = "Hold",
        StartedAt = At,
        StepSince = At.AddSeconds(4),
        Deadline = At.AddHours(1),
        Steps = [new("Plan", At, At.AddSeconds(1)), new("Lease", At.AddSeconds(1), At.AddSeconds(2)), new("Mark", At.AddSeconds(2), At.AddSeconds(4))],
        Pods = new PodCounts(42, 30, 28, 1),
        Vms = [Vm()],
        Blockers =
        [
            new("budget-exhausted", "shop/web-2", "shop/web", "Cannot evict pod as it would violate the pod's disruption budget.", At.AddMinutes(5), 12, At.AddMinutes(11), At.AddHours(1), "Add a replica, or raise maxUnavailable of shop/web."),
        ],
    };

    private static PodResultView Pod() => new("shop", "web-1", "6e1f2a90-0000-4000-8000-000000000001", IsGone: true, 1, At.AddSeconds(5), At.AddSeconds(36), null);

    private static VmView Vm() => new("shop", "db", "Migrating", "Its migration is in Running.") { Phase = "Running", Attempts = 1, Since = At.AddMinutes(1), Deadline = At.AddMinutes(31) };

    private static PlanView Plan() => new("node-7", At, CanStart: true, WasCordoned: false)
    {
        Pods = [new("shop", "web-1", "Evict", "replicated", "ReplicaSet web starts it elsewhere."), new("kube-system", "agent-x", "Keep", "daemon-set", "DaemonSet agent would start it again at once.")],
        Vms = [new("shop", "db", "Migrates", "It migrates to another node without a stop.") { EvictionStrategy = "LiveMigrate", StrategySource = "KubeVirt", IsLiveMigratable = true, RunStrategy = "Always" }],
        Findings = [new("Notes", "budget-tight", "Budget shop/web allows one eviction at a time.", "shop/web", null)],
    };

    private static HistoryPage History() => new(
        [new HistoryEventView(At, "m-node-7-20260301020000-a1b2", "activity-completed", "node.mark", "node.mark is done.", 12)], "639079344000000000.12@m-node-7-20260301020000-a1b2");

    private static NodeView Node() => new("node-7", IsReady: true, IsCordoned: true, IsControlPlane: false)
    {
        KubeletVersion = "v1.32.4",
        Taints = ["medik8s.io/drain:NoSchedule"],
        MaintenanceId = "m-node-7-20260301020000-a1b2",
        MaintenanceState = MaintenanceState.Running,
        Lease = new LeaseView("drydock/5f0c/m-node-7-20260301020000-a1b2", At.AddMinutes(5), At.AddMinutes(6), IsExpired: false),
    };

    private static RolloutView Rollout() => new("r-20260301020000-e5f6", "Running", "3 of 20 nodes done, 0 failed, 2 under maintenance.")
    {
        Reason = "kernel 6.12",
        RequestedBy = "ada",
        StartedAt = At,
        Total = 20,
        Done = 3,
        EstimatedEnd = At.AddHours(5),
        Nodes = [new("node-7", "UnderMaintenance", "r-20260301020000-e5f6:node-7", null)],
    };

    private static WindowView Window() => new("nightly", IsOpen: false)
    {
        Times = ["0 2 * * * for 3h (Europe/Berlin)"],
        OnClose = "Pause",
        Next = [new OpeningView(At.AddHours(-1), At.AddHours(2))],
    };

    private static VirtualMachineView Machine() => new("shop", "db") { RunStrategy = "Always", Status = "Running", Phase = "Running", Node = "node-7", EvictionStrategy = "LiveMigrate", IsLiveMigratable = true };

    private static Problem ProblemOf(int status) => status switch
    {
        400 => new(ProblemTypes.InvalidRequest, "Invalid request", 400, "The request says something that is not allowed.") { Errors = [new FieldError("drain.timeout", "soon", "a duration such as 90s, 10m, 1h30m")] },
        401 => new(ProblemTypes.Unauthenticated, "Unauthenticated", 401, "Send a bearer token."),
        403 => new(ProblemTypes.Forbidden, "Forbidden", 403, "You may not do this.") { Verb = "create", Resource = "nodemaintenances.nodemaintenance.medik8s.io" },
        404 => new(ProblemTypes.NotFound, "Not found", 404, "There is no maintenance 'm-1'."),
        409 => new(ProblemTypes.AlreadyUnderMaintenance, "Already under maintenance", 409, "Node node-7 is under maintenance.") { SubjectId = "m-node-7-20260301020000-a1b2" },
        412 => new(ProblemTypes.Changed, "Changed meanwhile", 412, "It is not what you saw any more."),
        429 => new(ProblemTypes.TooManyRequests, "Too many requests", 429, "Send fewer requests."),
        503 => new(ProblemTypes.Unavailable, "Unavailable", 503, "The API server of the cluster cannot be reached."),
        _ => new(ProblemTypes.Internal, "Internal error", status, "The server failed; its log says why."),
    };
}
