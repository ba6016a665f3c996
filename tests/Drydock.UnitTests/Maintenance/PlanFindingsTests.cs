using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Node;
using Drydock.Maintenance.Planning;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance;

/// <summary>What the plan of one node finds in the way: its kind, how bad it is, where to look, in words for people.</summary>
public sealed class PlanFindingsTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    private static readonly NodeSnapshot Node = new("node-1", "n", "1");

    private static readonly MaintenanceRequest Request = new("node-1");

    private static readonly BudgetSnapshot Budget = new(new ObjectRef("shop", "web"), LabelSelector.Parse("app=web")!)
    {
        MinAvailable = "2", DisruptionsAllowed = 0, ExpectedPods = 3, DesiredHealthy = 2, CurrentHealthy = 2,
    };

    public static TheoryData<string, string, string> Budgets => new()
    {
        { "exhausted", "budget-exhausted", "Budget shop/web allows no disruption now (2 healthy, 2 wanted); it holds 1 pod." },
        { "wants-all", "budget-exhausted", "Budget shop/web allows no disruption: it wants 3 healthy pods of the 3 there are; it holds 1 pod." },
        { "zero", "budget-can-never-be-met", "Budget shop/web never allows a disruption (maxUnavailable 0); it holds 1 pod." },
        { "uncounted", "budget-can-never-be-met", "Budget shop/web never allows a disruption (its pods have no owner with a number of replicas, so it cannot count them); it holds 1 pod." },
    };

    [Theory]
    [MemberData(nameof(Budgets))]
    public void A_budget_that_holds_a_pod_is_told_with_what_would_free_it(string which, string kind, string message)
    {
        var budget = which switch
        {
            "wants-all" => Budget with { DesiredHealthy = 3, CurrentHealthy = 3 },
            "zero" => Budget with { MinAvailable = null, MaxUnavailable = "0" },
            "uncounted" => Budget with { MinAvailable = null, MaxUnavailable = "1", ExpectedPods = 0 },
            _ => Budget,
        };

        var finding = PlanFindings.OfBudgets([Evicted(Pod())], [budget], []).ShouldHaveSingleItem();

        (finding.Severity, finding.Kind, finding.Object, finding.Message).ShouldBe((FindingSeverity.Blocks, kind, "poddisruptionbudget/shop/web", message));
        finding.NextStep.ShouldNotBeNull().ShouldEndWith(".");
    }

    [Fact]
    public void What_a_budget_holds_is_deleted_past_it_at_the_deadline_where_that_was_asked_for() =>
        PlanFindings.OfBudgets([Evicted(Pod())], [Budget], [], DeadlinePolicy.Force).ShouldHaveSingleItem().Message
            .ShouldEndWith("it holds 1 pod. At the deadline what it holds is deleted past it (on-timeout: Force).");

    [Fact]
    public void A_pod_under_two_budgets_is_told_with_both()
    {
        var other = Budget with { Ref = new ObjectRef("shop", "all"), Selector = LabelSelector.Everything };
        var free = Budget with { DisruptionsAllowed = 1 };

        var finding = PlanFindings.OfBudgets([Evicted(Pod())], [free, other with { DisruptionsAllowed = 1 }], []).ShouldHaveSingleItem();

        (finding.Severity, finding.Kind, finding.Object).ShouldBe((FindingSeverity.Blocks, "several-budgets", "pod/shop/web-1"));
        finding.Message.ShouldContain("2 budgets (shop/web, shop/all)");
    }

    [Fact]
    public void A_pod_under_two_budgets_goes_all_the_same_if_the_eviction_asks_none_about_it()
    {
        BudgetSnapshot[] two = [Budget, Budget with { Ref = new ObjectRef("shop", "all"), Selector = LabelSelector.Everything }];

        PlanFindings.OfBudgets([Evicted(Pod() with { DeletionRequestedAt = DateTimeOffset.UnixEpoch })], two, []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod() with { Phase = "Pending", IsReady = false })], two, []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod() with { IsReady = false })], [two[0] with { AlwaysAllowUnhealthy = true }, two[1]], [])
            .Select(finding => finding.Kind).ShouldContain("several-budgets", "several are refused before it is asked whether it is ready");
    }

    [Fact]
    public void A_budget_is_not_in_the_way_of_what_the_eviction_lets_through_or_of_what_stays()
    {
        PlanFindings.OfBudgets([Evicted(Pod() with { Phase = "Pending", IsReady = false })], [Budget], []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod() with { IsReady = false })], [Budget], []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod() with { IsReady = false })], [Budget with { CurrentHealthy = 1 }], []).ShouldHaveSingleItem();
        PlanFindings.OfBudgets([Evicted(Pod() with { IsReady = false })], [Budget with { CurrentHealthy = 1, AlwaysAllowUnhealthy = true }], []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod() with { DeletionRequestedAt = DateTimeOffset.UnixEpoch })], [Budget], []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Decided(Pod(), PodVerdict.Keep)], [Budget], []).ShouldBeEmpty();
        PlanFindings.OfBudgets([Evicted(Pod())], [Budget with { DisruptionsAllowed = 1 }], []).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(VmFate.RestartsElsewhere, "None", true)]
    [InlineData(VmFate.StaysDown, "LiveMigrateIfPossible", true)]
    [InlineData(VmFate.Migrates, "LiveMigrate", false)]
    [InlineData(VmFate.StoppedAndRestored, "LiveMigrate", false)]
    public void A_budget_over_a_virtual_machine_is_in_the_way_only_if_its_eviction_shuts_it_down(VmFate fate, string strategy, bool isInTheWay)
    {
        var launcher = Pod() with { Controller = new OwnerRef("VirtualMachineInstance", "db", "v") };
        var forecast = new VmForecast(new ObjectRef("shop", "db"), "v", fate, strategy, "default", false, "Always", "…");

        PlanFindings.OfBudgets([Decided(launcher, PodVerdict.MoveVm)], [Budget], [forecast]).Select(finding => finding.Kind)
            .ShouldBe(isInTheWay ? ["budget-exhausted"] : []);
    }

    [Fact]
    public void A_node_that_is_cordoned_already_is_told_and_one_that_carries_marks_is_refused()
    {
        var cordoned = PlanFindings.OfNode(Request, Node with { Unschedulable = true }, null, null, Now).ShouldHaveSingleItem();
        var left = PlanFindings.OfNode(Request, Node with { Unschedulable = true, Mark = new HoldMark("drydock/hub/m0", "{}") }, null, "drydock/hub/m1", Now).ShouldHaveSingleItem();

        (cordoned.Severity, cordoned.Kind, cordoned.Object).ShouldBe((FindingSeverity.Notes, "was-cordoned", "node/node-1"));
        (left.Severity, left.Kind, left.NextStep).ShouldBe((FindingSeverity.Refuses, "node-left-behind", "Put it back with: drydock restore node-1"));
        PlanFindings.OfNode(Request, Node, null, null, Now).ShouldBeEmpty();
    }

    [Fact]
    public void A_node_that_the_Node_Maintenance_Operator_holds_is_refused_although_its_lease_lapsed()
    {
        var held = Node with { Unschedulable = true, Taints = [new NodeTaint("medik8s.io/drain", null, "NoSchedule")] };
        var lapsed = new LeaseSnapshot("node-maintenance-operator", Now.AddHours(-2), TimeSpan.FromHours(1), IsCancelled: false);

        var finding = PlanFindings.OfNode(Request, held, lapsed, null, Now).ShouldHaveSingleItem();

        (finding.Severity, finding.Kind).ShouldBe((FindingSeverity.Refuses, "held-by-operator"));
        finding.NextStep.ShouldNotBeNull().ShouldContain("kubectl taint nodes node-1 medik8s.io/drain-");
        PlanFindings.OfNode(Request, held, lapsed with { RenewedAt = Now }, null, Now).First().Kind.ShouldBe("lease-held");
    }

    [Theory]
    [InlineData(0, null, "")]
    [InlineData(-9, null, "")]
    [InlineData(11, FindingSeverity.Notes, "The clock of this host is 11s behind that of the API server.")]
    [InlineData(-3600, FindingSeverity.Refuses, "The clock of this host is 1h ahead of that of the API server: leases and deadlines would be read wrongly.")]
    public void A_clock_that_differs_from_the_API_servers_is_told_and_refused_where_it_harms(int serverAhead, FindingSeverity? severity, string message)
    {
        var findings = PlanFindings.OfClocks(TimeSpan.FromSeconds(serverAhead)).ToList();

        findings.Select(static finding => (FindingSeverity?)finding.Severity).ShouldBe(severity is null ? [] : [severity]);
        findings.ForEach(finding => (finding.Kind, finding.Message).ShouldBe(("clock-skew", message)));
        PlanFindings.OfClocks(null).ShouldBeEmpty();
    }

    [Fact]
    public void A_lease_whose_renewal_lies_so_far_ahead_that_a_clock_was_wrong_is_nobodys() =>
        PlanFindings.OfNode(Request, Node, new LeaseSnapshot("other", Now.AddDays(1), TimeSpan.FromHours(1), IsCancelled: false), null, Now).ShouldBeEmpty();

    [Theory]
    [InlineData(0, FindingSeverity.Refuses)]
    [InlineData(5, FindingSeverity.Blocks)]
    public void A_lease_that_somebody_holds_refuses_or_is_waited_for_as_asked(int minutes, FindingSeverity severity)
    {
        var lease = new LeaseSnapshot("node-maintenance", Now, TimeSpan.FromMinutes(1), IsCancelled: false);

        var finding = PlanFindings.OfNode(Request with { LeaseWait = TimeSpan.FromMinutes(minutes) }, Node, lease, null, Now).ShouldHaveSingleItem();

        (finding.Severity, finding.Kind, finding.Object).ShouldBe((severity, "lease-held", "lease/medik8s-leases/node-node-1"));
        PlanFindings.OfNode(Request, Node, lease, null, Now.AddMinutes(1).AddTicks(1)).ShouldBeEmpty();
    }

    [Theory]
    [InlineData(VmFate.Blocks, "vm-not-migratable")]
    [InlineData(VmFate.WaitsForExternal, "vm-external")]
    [InlineData(VmFate.Migrates, null)]
    [InlineData(VmFate.Stays, null)]
    public void A_virtual_machine_that_does_not_leave_by_itself_is_told_with_its_reason(VmFate fate, string? kind)
    {
        var findings = PlanFindings.OfVirtualMachines([new VmForecast(new ObjectRef("vms", "a"), "v", fate, "LiveMigrate", "default", false, "Always", "Because.")]).ToList();

        findings.Select(finding => (finding.Kind, finding.Severity, finding.Object, finding.Message)).ShouldBe(
            kind is null ? [] : [(kind, FindingSeverity.Blocks, "virtualmachineinstance/vms/a", "Virtual machine vms/a: Because.")]);
    }

    [Theory]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, 60, VmFate.Migrates, true)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, 45, VmFate.Migrates, false)]
    [InlineData(StuckVmPolicy.Wait, DeadlinePolicy.Fail, 60, VmFate.Migrates, false)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Wait, 60, VmFate.Migrates, false)]
    [InlineData(StuckVmPolicy.Skip, DeadlinePolicy.Fail, 60, VmFate.StaysDown, false)]
    public void A_policy_that_the_drain_leaves_no_time_for_is_told(StuckVmPolicy onStuck, DeadlinePolicy onTimeout, int minutes, VmFate fate, bool isTold)
    {
        var request = Request with
        {
            Drain = new DrainPolicy { OnTimeout = onTimeout },
            VirtualMachines = new VirtualMachinePolicy { OnStuck = onStuck, RunningTimeout = TimeSpan.FromMinutes(minutes) },
        };

        PlanFindings.OfTimes(request, [new VmForecast(new ObjectRef("vms", "a"), "v", fate, "LiveMigrate", "default", true, "Always", "Because.")])
            .Select(static finding => (finding.Severity, finding.Kind)).ShouldBe(isTold ? [(FindingSeverity.Notes, "vm-running-timeout")] : []);
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData("node.kubernetes.io/unschedulable", false)]
    [InlineData("none", false)]
    public void A_pod_that_tolerates_every_mark_of_a_maintenance_is_told_because_it_may_come_back(string? tolerated, bool isTold)
    {
        var pod = Pod() with
        {
            Placement = PodPlacement.Anywhere with { Tolerations = tolerated == "none" ? [] : [new Toleration(tolerated, "Exists", null, null)] },
        };

        PlanFindings.OfReturning([Evicted(pod)], Node).Select(finding => (finding.Severity, finding.Kind, finding.Object)).ShouldBe(
            isTold ? [(FindingSeverity.Notes, "tolerates-cordon", "pod/shop/web-1")] : []);
        PlanFindings.OfReturning([Evicted(pod with { Controller = null })], Node).ShouldBeEmpty();
        PlanFindings.OfReturning([Decided(pod, PodVerdict.Keep)], Node).ShouldBeEmpty();
        NodePrior.OurTaints.ShouldNotBeEmpty();
    }

    [Theory]
    [InlineData(PodVerdict.Keep, VmFate.Stays)]
    [InlineData(PodVerdict.AwaitCompletion, VmFate.Stays)]
    [InlineData(PodVerdict.MoveVm, VmFate.Migrates)]
    public void A_virtual_machine_whose_pod_the_request_leaves_alone_stays(PodVerdict verdict, VmFate fate)
    {
        var launcher = Pod() with { Controller = new OwnerRef("VirtualMachineInstance", "db", "v") };
        var forecast = new VmForecast(new ObjectRef("shop", "db"), "v", VmFate.Migrates, "LiveMigrate", "default", true, "Always", "It migrates.");

        var ruled = VmForecasts.AsRuled(forecast, [Decided(launcher, verdict)]);

        (ruled.Fate, ruled.Reason).ShouldBe((fate, fate == VmFate.Stays ? "Because." : "It migrates."));
        VmForecasts.AsRuled(forecast, []).ShouldBe(forecast);
    }

    private static ClassifiedPod Evicted(PodSnapshot pod) => Decided(pod, PodVerdict.Evict);

    private static ClassifiedPod Decided(PodSnapshot pod, PodVerdict verdict) => new(pod, new PodDecision(pod.Ref, pod.Uid, verdict, "rule", "Because."));

    private static PodSnapshot Pod() => new(new ObjectRef("shop", "web-1"), "u", "node-1")
    {
        Phase = "Running",
        IsReady = true,
        Controller = new OwnerRef("ReplicaSet", "web", "r"),
        Labels = new Dictionary<string, string> { ["app"] = "web" },
    };
}
