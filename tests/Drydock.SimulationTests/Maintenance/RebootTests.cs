using Drydock.Maintenance;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>A maintenance that reboots its node by a Job on it.</summary>
[Collection(VirtualTimeTests.Name)]
public sealed class RebootTests
{
    [Fact(Timeout = World.Timeout)]
    public async Task A_node_is_rebooted_once_and_the_report_shows_both_boot_ids()
    {
        await using var world = await World.StartAsync("healthy");
        var before = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;

        var report = await world.MaintainAsync(world.Request() with { Action = MaintenanceAction.Reboot });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        var after = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
        after.ShouldNotBe(before);
        var action = report.Actions.ShouldHaveSingleItem();
        (action.Key, action.Outcome).ShouldBe(("action", ActionOutcome.Done));
        action.Message.ShouldBe($"The node has rebooted: its boot ID was {before} and is {after}.");
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(1);
        (await world.Neighbours.ListPodsAsync("kube-system", "drydock.dev/job", CancellationToken.None)).ShouldBeEmpty();
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Fact(Timeout = World.Timeout)]
    public async Task A_node_that_is_to_be_rebooted_twice_is_rebooted_twice()
    {
        await using var world = await World.StartAsync("healthy");

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot,
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.Reboot, new ActionOptions())] },
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(action => action.Key).ShouldBe(["after-drain-1", "action"]);
        report.Actions[1].Message.Split(' ')[^4].ShouldBe(report.Actions[0].Message.Split(' ')[^1].TrimEnd('.'), report.Actions[1].Message);
        world.Api.RequestLog.Of("create", "jobs.batch").Count(request => request.Code == 201).ShouldBe(2);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData(MaintenanceAction.Reboot)]
    [InlineData(MaintenanceAction.PowerCycle)]
    public async Task A_node_that_somebody_else_has_rebooted_meanwhile_is_taken_down_all_the_same(MaintenanceAction kind)
    {
        const string boots = """{"spec":{"template":{"spec":{"hostPID":true,"containers":[{"name":"c","image":"i","command":["reboot"],"securityContext":{"privileged":true}}]}}}}""";
        await using var world = await World.StartAsync(
            ActionTests.Hardware,
            configure: Policies.Of(new MaintenancePolicy("p") { Jobs = new Dictionary<string, JobTemplate> { ["boots"] = new("kube-system", boots) } }));
        await world.BeginAsync(world.Request() with
        {
            Policy = "p",
            Hooks = new MaintenanceHooks { AfterDrain = [new ActionStep(MaintenanceAction.Job, new ActionOptions { Template = "boots" })] },
            Approval = new ApprovalPolicy { Gates = [ApprovalGate.Action] },
            Action = kind,
        });
        await world.RunForAsync(TimeSpan.FromMinutes(10));
        var meanwhile = (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId;
        await world.Client.RaiseEventAsync("m1", MaintenanceEvents.Approval(ApprovalGate.Action), new Approval(true, "ann", null), CancellationToken.None);

        var report = await world.EndAsync();

        report.Outcome.ShouldBe(MaintenanceOutcome.Completed, report.Message);
        report.Actions.Select(static action => action.Outcome).ShouldBe([ActionOutcome.Done, ActionOutcome.Done]);
        (await world.Kubernetes.GetNodeAsync("node-1", CancellationToken.None))!.BootId.ShouldNotBe(meanwhile);
        world.WhatIsWrong().ShouldBeEmpty();
    }

    [Theory(Timeout = World.Timeout)]
    [InlineData("""{"metadata":{"annotations":{"fake-kubelet/pull-fails":"true"}}}""", false, MaintenanceAction.Reboot)]
    [InlineData("""{"metadata":{"annotations":{"fake-kubelet/pull-fails":"true"}}}""", false, MaintenanceAction.Job)]
    [InlineData("{}", true, MaintenanceAction.Reboot)]
    [InlineData("{}", true, MaintenanceAction.Job)]
    public async Task A_job_whose_pod_does_not_start_or_cannot_be_made_is_told_with_the_reason_meanwhile_and_at_the_deadline(string template, bool isForbidden, MaintenanceAction kind)
    {
        var pod = System.Text.Json.Nodes.JsonNode.Parse(template)!;
        pod["spec"] = System.Text.Json.Nodes.JsonNode.Parse("""{"containers":[{"name":"c","image":"example.com/reboot","command":["sleep","infinity"]}]}""");
        await using var world = await World.StartAsync(
            Drydock.Simulator.Scenarios.Scenario.Named("healthy"),
            configure: Policies.Of(new MaintenancePolicy("p")
            {
                RebootJob = "stuck",
                Jobs = new Dictionary<string, JobTemplate> { ["stuck"] = new("kube-system", $"{{\"spec\":{{\"suspend\":{(isForbidden ? "true" : "false")},\"template\":{pod.ToJsonString()}}}}}") },
            }));
        await world.BeginAsync(world.Request() with { Action = kind, ActionOptions = new ActionOptions { Template = kind == MaintenanceAction.Job ? "stuck" : null, Timeout = TimeSpan.FromMinutes(10) }, Policy = "p" });
        await world.RunUntilAsync(() => world.Cluster.Store.List(ResourceTypes.Jobs).Any());
        if (isForbidden)
        {
            Warn(world, world.Cluster.Store.List(ResourceTypes.Jobs).Single());
        }

        await world.RunForAsync(TimeSpan.FromMinutes(3));
        var meanwhile = (await world.StatusAsync<ActionStatus>(InstanceIds.Action("m1", "action")))!;

        var report = await world.EndAsync();

        var why = isForbidden
            ? "It has no pod (FailedCreate: Error creating: pods \"drydock-action-\" is forbidden: unable to validate against any security context constraint)."
            : " does not start (ImagePullBackOff: Back-off pulling image \"example.com/reboot\").";
        meanwhile.Message.ShouldEndWith(why);
        (report.Outcome, report.Message.EndsWith(why, StringComparison.Ordinal)).ShouldBe((MaintenanceOutcome.Failed, true), report.Message);
    }

    // As the job controller records it where an admission refuses the pod.
    private static void Warn(World world, System.Text.Json.Nodes.JsonObject job) => world.Cluster.Store.Create(ResourceTypes.Events, System.Text.Json.Nodes.JsonNode.Parse($$"""
        {"apiVersion":"v1","kind":"Event","metadata":{"name":"refused","namespace":"kube-system"},"type":"Warning","reason":"FailedCreate",
        "message":"Error creating: pods \"drydock-action-\" is forbidden: unable to validate against any security context constraint",
        "involvedObject":{"apiVersion":"batch/v1","kind":"Job","namespace":"kube-system","name":"{{job["metadata"]!["name"]}}","uid":"{{job["metadata"]!["uid"]}}"},
        "firstTimestamp":"{{world.Time.GetUtcNow():s}}Z","lastTimestamp":"{{world.Time.GetUtcNow():s}}Z"}
        """)!.AsObject());

    [Fact(Timeout = World.Timeout)]
    public async Task A_job_that_does_not_reboot_the_node_fails_the_maintenance_by_its_deadline()
    {
        await using var world = await World.StartAsync(
            Drydock.Simulator.Scenarios.Scenario.Named("healthy"),
            configure: Policies.Of(new MaintenancePolicy("p")
            {
                RebootJob = "lazy",
                Jobs = new Dictionary<string, JobTemplate>
                {
                    ["lazy"] = new("kube-system", """{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i","command":["sleep","infinity"]}]}}}}"""),
                },
            }));

        var report = await world.MaintainAsync(world.Request() with
        {
            Action = MaintenanceAction.Reboot,
            ActionOptions = new ActionOptions { Timeout = TimeSpan.FromMinutes(10) },
            Policy = "p",
        });

        report.Outcome.ShouldBe(MaintenanceOutcome.Failed);
        report.Message.ShouldStartWith("The node did not reboot within 10m: its boot ID is still ");
        report.LeftBehind.ShouldBe(["Node node-1 is still cordoned, tainted and marked. When it is fit: drydock restore node-1"]);
        (await world.Neighbours.ListPodsAsync("kube-system", "drydock.dev/job", CancellationToken.None)).ShouldAllBe(pod => pod.DeletionRequestedAt != null);
    }
}
