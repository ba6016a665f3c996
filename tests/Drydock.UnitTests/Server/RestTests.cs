using System.Net;
using System.Net.Http.Json;
using System.Text;
using Drydock.Api;
using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Maintenances by REST and what is common to all of it, over the real host; behind the doors a dictionary stands for the engine and a stub for the cluster.</summary>
public sealed class RestTests : IAsyncLifetime
{
    private RestHost _host = null!;

    private InMemoryClient Engine => _host.Client;

    private HttpClient Http => _host.Http;

    private DrydockApiClient Api => new(Http);

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a", "worker-b"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_maintenance_is_started_with_what_was_asked_for()
    {
        var view = await Api.CreateMaintenanceAsync(
            new MaintenanceCreate
            {
                Node = "worker-a",
                Reason = "new kernel",
                Action = "hold",
                Drain = new DrainSettings { Timeout = "1h30m", OnTimeout = "Wait" },
                VirtualMachines = new VirtualMachineSettings { OnStuck = "ShutDown", MaxAttempts = 2 },
            },
            null,
            Token);

        view.State.ShouldBe(MaintenanceState.Pending);
        view.Id.ShouldMatch("^m-worker-a-[0-9]{14}-[0-9a-f]{8}$");
        var request = Engine.InputOf<MaintenanceRequest>(view.Id);
        request.Reason.ShouldBe("new kernel");
        request.Action.ShouldBe(MaintenanceAction.Hold);
        request.Drain.Timeout.ShouldBe(TimeSpan.FromMinutes(90));
        request.Drain.OnTimeout.ShouldBe(DeadlinePolicy.Wait);
        request.VirtualMachines.OnStuck.ShouldBe(StuckVmPolicy.ShutDown);
        request.VirtualMachines.MaxAttempts.ShouldBe(2);
    }

    [Theory]
    [InlineData("""{}""", "node", null)]
    [InlineData("""{"node":""}""", "node", "")]
    [InlineData("""{"node":"Worker A"}""", "node", "Worker A")]
    [InlineData("""{"node":5}""", "node", "5")]
    [InlineData("""{"node":"worker-a","nod":"x"}""", "nod", "\"x\"")]
    [InlineData("""{"node":"worker-a","action":"Explode"}""", "action", "Explode")]
    [InlineData("""{"node":"worker-a","action":"1"}""", "action", "1")]
    [InlineData("""{"node":"worker-a","onFailure":"Shrug"}""", "onFailure", "Shrug")]
    [InlineData("""{"node":"worker-a","leaseWait":"soon"}""", "leaseWait", "soon")]
    [InlineData("""{"node":"worker-a","drain":{"timeout":"-5m"}}""", "drain.timeout", "-5m")]
    [InlineData("""{"node":"worker-a","drain":{"timeout":"0"}}""", "drain.timeout", "0")]
    [InlineData("""{"node":"worker-a","drain":{"onTimeout":"Panic"}}""", "drain.onTimeout", "Panic")]
    [InlineData("""{"node":"worker-a","drain":{"podSelector":"app in web"}}""", "drain.podSelector", "app in web")]
    [InlineData("""{"node":"worker-a","drain":{"rules":[{"behavior":"Skip"},{"behavior":"Kill"}]}}""", "drain.rules[1].behavior", "Kill")]
    [InlineData("""{"node":"worker-a","drain":{"rules":[{"behavior":"Skip","order":3}]}}""", "drain.rules[0].order", "3")]
    [InlineData("""{"node":"worker-a","drain":{"podTimeout":"0s"}}""", "drain.podTimeout", "0s")]
    [InlineData("""{"node":"worker-a","drain":{"maxParallelEvictions":51}}""", "drain.maxParallelEvictions", "51")]
    [InlineData("""{"node":"worker-a","drain":{"maxParallelEvictions":1.5}}""", "drain.maxParallelEvictions", "1.5")]
    [InlineData("""{"node":"worker-a","drain":{"ignoreDaemonSets":"yes"}}""", "drain.ignoreDaemonSets", "\"yes\"")]
    [InlineData("""{"node":"worker-a","drain":[]}""", "drain", "[]")]
    [InlineData("""{"node":"worker-a","virtualMachines":{"onStuck":"Pray"}}""", "virtualMachines.onStuck", "Pray")]
    [InlineData("""{"node":"worker-a","virtualMachines":{"maxAttempts":0}}""", "virtualMachines.maxAttempts", "0")]
    [InlineData("""{"node":"worker-a","virtualMachines":{"onRestartTimeout":"ShutDown"}}""", "virtualMachines.onRestartTimeout", "ShutDown")]
    [InlineData("""{"node":"worker-a","health":{"timeout":"PT"}}""", "health.timeout", "PT")]
    [InlineData("""{"node":"worker-a","reason":"a\u0000b"}""", "reason", "a\0b")]
    [InlineData("""{"node":"a","node":"b"}""", "body", null)]
    [InlineData("""{"node":"\ud800"}""", "body", null)]
    [InlineData("""{"node":""", "body", null)]
    [InlineData("""[]""", "body", "[]")]
    [InlineData("""null""", "body", "null")]
    [InlineData("""not json""", "body", null)]
    public async Task Bad_input_is_answered_with_the_field_and_changes_nothing(string json, string field, string? value)
    {
        var problem = await _host.RefusedAsync("api/v1/maintenances", json, HttpStatusCode.BadRequest);

        var error = problem.Errors.ShouldHaveSingleItem();
        error.Field.ShouldBe(field);
        error.Value.ShouldBe(value);
        error.Allowed.ShouldNotBeNullOrWhiteSpace();
        Engine.Started.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{}""", "nodes")]
    [InlineData("""{"nodes":["worker-a","worker-a"]}""", "nodes")]
    [InlineData("""{"nodes":["worker-a","No"]}""", "nodes[1]")]
    [InlineData("""{"nodes":["worker-a"],"drain":{"timeout":"soon"}}""", "drain.timeout")]
    public async Task A_plan_of_several_nodes_refuses_bad_input_by_its_field(string json, string field) =>
        (await _host.RefusedAsync("api/v1/maintenances:plan", json, HttpStatusCode.BadRequest)).Errors.ShouldHaveSingleItem().Field.ShouldBe(field);

    [Fact]
    public async Task Several_nodes_are_planned_together()
    {
        var plans = await Api.PlanTogetherAsync(new PlanCreate { Nodes = ["worker-a", "worker-b"] }, CancellationToken.None);

        plans.CanStart.ShouldBeTrue();
        plans.Plans.Select(static plan => plan.Node).ShouldBe(["worker-a", "worker-b"]);
    }

    [Fact]
    public async Task Everything_that_is_wrong_is_told_at_once()
    {
        var problem = await _host.RefusedAsync(
            "api/v1/maintenances", """{"node":"_","action":"x","drain":{"timeout":"y"},"health":{"stableFor":"z"}}""", HttpStatusCode.BadRequest);

        problem.Errors.Select(static error => error.Field).ShouldBe(["node", "action", "drain.timeout", "health.stableFor"]);
    }

    [Fact]
    public async Task An_unknown_node_is_answered_with_the_nodes_there_are()
    {
        var problem = await _host.RefusedAsync("api/v1/maintenances", """{"node":"worker-z"}""", HttpStatusCode.NotFound);

        problem.Type.ShouldBe(ProblemTypes.NodeNotFound);
        problem.Errors.ShouldHaveSingleItem().ShouldBe(new FieldError("node", "worker-z", "worker-a, worker-b"));
        Engine.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_node_under_maintenance_is_refused_and_the_maintenance_named()
    {
        var first = await CreateAsync("worker-a");

        var problem = await _host.RefusedAsync("api/v1/maintenances", """{"node":"worker-a"}""", HttpStatusCode.Conflict);

        problem.Type.ShouldBe(ProblemTypes.AlreadyUnderMaintenance);
        problem.SubjectId.ShouldBe(first.Id);
        Engine.Started.ShouldBe([first.Id]);
    }

    [Fact]
    public async Task A_node_can_be_maintained_again_when_the_first_maintenance_is_over()
    {
        var first = await CreateAsync("worker-a");
        End(first.Id, MaintenanceOutcome.Completed);

        var second = await CreateAsync("worker-a");

        second.Id.ShouldNotBe(first.Id);
        (await Api.GetMaintenanceAsync(first.Id, Token)).State.ShouldBe(MaintenanceState.Completed);
    }

    [Fact]
    public async Task Of_twenty_requests_at_once_for_one_node_one_wins()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ =>
            Http.PostAsJsonAsync("api/v1/maintenances", new MaintenanceCreate { Node = "worker-a" }, ApiJson.Options, Token)));

        answers.Count(static answer => answer.StatusCode == HttpStatusCode.Created).ShouldBe(1);
        answers.Count(static answer => answer.StatusCode == HttpStatusCode.Conflict).ShouldBe(19);
        Engine.Started.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_same_idempotency_key_starts_once()
    {
        var create = new MaintenanceCreate { Node = "worker-a", Reason = "r" };

        var first = await Api.CreateMaintenanceAsync(create, "key-1", Token);
        var second = await Api.CreateMaintenanceAsync(create, "key-1", Token);
        var other = await Should.ThrowAsync<ApiProblemException>(() =>
            Api.CreateMaintenanceAsync(create with { Node = "worker-b" }, "key-1", Token));

        second.Id.ShouldBe(first.Id);
        other.Problem.Type.ShouldBe(ProblemTypes.KeyReused);
        Engine.Started.ShouldBe([first.Id]);
    }

    [Fact]
    public async Task Cancel_is_an_event_until_it_is_over_and_a_conflict_afterwards()
    {
        var view = await CreateAsync("worker-a");
        await Api.CancelMaintenanceAsync(view.Id, "changed my mind", Token);
        End(view.Id, MaintenanceOutcome.Cancelled);

        var error = await Should.ThrowAsync<ApiProblemException>(() => Api.CancelMaintenanceAsync(view.Id, null, Token));

        var raised = Engine.Raised.ShouldHaveSingleItem();
        raised.Name.ShouldBe(MaintenanceEvents.Cancel);
        raised.Payload.ShouldBeOfType<Cancel>().ShouldSatisfyAllConditions(
            static cancel => cancel.Reason.ShouldBe("changed my mind"), static cancel => cancel.RequestedFrom.ShouldBe("127.0.0.1"));
        error.Problem.Status.ShouldBe(409);
    }

    [Fact]
    public async Task Only_a_held_node_can_be_completed()
    {
        var view = await CreateAsync("worker-a");
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "draining"));
        var tooEarly = await Should.ThrowAsync<ApiProblemException>(() => Api.CompleteMaintenanceAsync(view.Id, false, Token));
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held") { IsHolding = true });

        var held = await Api.CompleteMaintenanceAsync(view.Id, skipHealth: true, "the fan turns", Token);

        tooEarly.Problem.Type.ShouldBe(ProblemTypes.WrongState);
        held.State.ShouldBe(MaintenanceState.Holding);
        Engine.Raised.ShouldHaveSingleItem().Payload.ShouldBeOfType<Complete>().ShouldSatisfyAllConditions(
            static complete => complete.SkipHealth.ShouldBeTrue(),
            static complete => (complete.Reason, complete.RequestedFrom).ShouldBe(("the fan turns", "127.0.0.1")));
    }

    [Fact]
    public async Task The_health_that_a_policy_requires_to_be_checked_is_not_left_unchecked_by_whoever_ends_a_hold()
    {
        await using var host = await RestHost.StartAsync(["worker-a"], static services => services.AddSingleton<IMaintenancePolicies>(
            new FixedPolicies([new MaintenancePolicy("strict") { RequiredProbes = ["storage", "network"] }])));
        var api = new DrydockApiClient(host.Http);
        var view = await api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a", Action = "Hold", Policy = "strict" }, null, Token);
        host.Client.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held") { IsHolding = true });

        var error = await Should.ThrowAsync<ApiProblemException>(() => api.CompleteMaintenanceAsync(view.Id, skipHealth: true, Token));
        await api.CompleteMaintenanceAsync(view.Id, skipHealth: false, Token);

        (error.Problem.Status, error.Problem.Detail).ShouldBe((
            400, "skipHealth: 'true' is not allowed; allowed: false, since policy strict requires storage, network of every maintenance under it."));
        host.Client.Raised.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_hold_before_the_action_does_not_decide_about_the_health_after_it()
    {
        var view = await CreateAsync("worker-a");
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Hook, "held")
        {
            IsHolding = true, Actions = [new ActionRecord("before-drain-1", ActionPoint.BeforeDrain, new ActionStep(MaintenanceAction.Hold, new ActionOptions()), "")],
        });

        var error = await Should.ThrowAsync<ApiProblemException>(() => Api.CompleteMaintenanceAsync(view.Id, skipHealth: true, Token));
        await Api.CompleteMaintenanceAsync(view.Id, skipHealth: false, Token);

        (error.Problem.Status, error.Problem.Detail).ShouldBe((409,
            $"Maintenance {view.Id} is held before its action: whether the node is healthy afterwards can be left unchecked only then. Complete it without skipHealth."));
        Engine.Raised.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task A_complete_goes_to_the_wait_it_names_or_to_the_one_that_waits_and_to_no_other()
    {
        var view = await CreateAsync("worker-a");
        var step = new ActionStep(MaintenanceAction.Hold, new ActionOptions());
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held")
        {
            IsHolding = true, Actions = [new ActionRecord("action", ActionPoint.Action, step, "held")],
        });

        var another = await Should.ThrowAsync<ApiProblemException>(() => Api.CompleteMaintenanceAsync(view.Id, new CompleteRequest(Wait: "before-drain-1"), Token));
        var held = await Api.CompleteMaintenanceAsync(view.Id, new CompleteRequest(Wait: "action"), Token);
        await Api.CompleteMaintenanceAsync(view.Id, skipHealth: false, Token);

        another.Problem.Type.ShouldBe(ProblemTypes.WrongState);
        another.Problem.Detail!.ShouldContain("does not wait for 'before-drain-1' to be completed; it waits for 'action'.");
        held.AwaitsComplete.ShouldBe("action");
        Engine.Raised.Select(static raised => ((Complete)raised.Payload!).Wait).ShouldBe(["action", "action"]);
    }

    [Fact]
    public async Task A_view_gathers_the_progress_of_all_parts()
    {
        var view = await CreateAsync("worker-a");
        var at = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "draining") { PodsToEvict = 3, PodsTotal = 5 });
        Engine.Set(
            InstanceIds.Pods(view.Id),
            new DrainStatus(3, 1) { Terminating = 1, Blockers = [new Blocker("budget-exhausted", "ns/web-1", "pdb", "no", at, 4, at, null, "wait")] },
            name: Orchestrations.Drain);
        Engine.Set(
            InstanceIds.Vm(view.Id, new ObjectRef("ns", "vm-1")),
            new VmStatus(new ObjectRef("ns", "vm-1"), VmProgress.Migrating, "migrating") { MigrationPhase = "Running", Attempts = 1 },
            name: Orchestrations.MoveVm);

        var read = await Api.GetMaintenanceAsync(view.Id, Token);

        read.Step.ShouldBe("Drain");
        read.Pods.ShouldBe(new PodCounts(5, 3, 1, 1));
        read.Blockers.ShouldHaveSingleItem().Kind.ShouldBe("budget-exhausted");
        var vm = read.Vms.ShouldHaveSingleItem();
        (vm.Name, vm.Progress, vm.Phase).ShouldBe(("vm-1", "Migrating", "Running"));
    }

    [Fact]
    public async Task What_is_not_there_is_a_problem_and_so_is_every_other_wrong_turn()
    {
        foreach (var path in (string[])["api/v1/maintenances/m-x", "api/v1/maintenances/m-x/history", "api/v1/maintenances/m-x/events", "api/v1/rollouts/r", "api/v1/windows/w", "api/v2"])
        {
            var answer = await Http.GetAsync(path, Token);
            answer.StatusCode.ShouldBe(HttpStatusCode.NotFound, path);
            answer.Content.Headers.ContentType!.MediaType.ShouldBe("application/problem+json", path);
        }

        (await Http.DeleteAsync("api/v1/maintenances", Token)).StatusCode.ShouldBe(HttpStatusCode.MethodNotAllowed);
        (await Http.GetAsync("api/v1/maintenances?running=perhaps", Token)).StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        var form = await Http.PostAsync("api/v1/maintenances", new StringContent("node=worker-a", Encoding.UTF8, "application/x-www-form-urlencoded"), Token);
        form.StatusCode.ShouldBe(HttpStatusCode.UnsupportedMediaType);

        // Asked before it is sent: a server that refuses it closes the connection, which may break in the hands of who still sends.
        using var asking = new HttpClient(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) }) { BaseAddress = Http.BaseAddress };
        asking.DefaultRequestHeaders.ExpectContinue = true;
        var large = await asking.PostAsync("api/v1/maintenances", new StringContent(new string(' ', 2_000_000), Encoding.UTF8, "application/json"), Token);
        large.StatusCode.ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        Engine.Started.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("Origin", "https://evil.example")]
    [InlineData("Origin", "null")]
    [InlineData("Host", "evil.example")]
    public async Task A_web_page_elsewhere_cannot_use_the_loopback(string header, string value)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/maintenances");
        request.Content = JsonContent.Create(new MaintenanceCreate { Node = "worker-a" }, options: ApiJson.Options);
        request.Headers.TryAddWithoutValidation(header, value);

        var answer = await Http.SendAsync(request, Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Forbidden);
        Engine.Started.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("fan", true)]
    [InlineData("disk", false)]
    public async Task The_same_key_at_two_servers_in_one_moment_starts_one_maintenance(string reason, bool isSame)
    {
        Engine.Before = other => (MaintenanceRequest)other! with { Reason = reason, RequestedBy = "somebody" };

        var answer = await Record.ExceptionAsync(() => Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a", Reason = "fan" }, "CHG-1", Token));

        Engine.Started.ShouldHaveSingleItem();
        (answer as ApiProblemException)?.Problem.Status.ShouldBe(409);
        (answer is null).ShouldBe(isSame, answer?.ToString());
    }

    [Fact]
    public async Task Lists_are_pages_with_the_newest_first()
    {
        var a = await CreateAsync("worker-a");
        var b = await CreateAsync("worker-b");
        End(a.Id, MaintenanceOutcome.Completed);

        (await Api.ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.Select(static view => view.Id).ShouldBe([b.Id, a.Id], ignoreOrder: true);
        (await Api.ListMaintenancesAsync(null, onlyRunning: true, null, Token)).Items.ShouldHaveSingleItem().Id.ShouldBe(b.Id);
        (await Api.ListMaintenancesAsync("worker-a", onlyRunning: false, null, Token)).Items.ShouldHaveSingleItem().Id.ShouldBe(a.Id);
    }

    [Fact]
    public async Task A_page_goes_on_behind_an_item_that_left_the_filter_or_the_hub_meanwhile()
    {
        var (a, b) = (await CreateAsync("worker-a"), await CreateAsync("worker-b"));
        var pages = new List<string>();
        foreach (var leave in (Action<string>[])[id => End(id, MaintenanceOutcome.Completed), Engine.Forget])
        {
            Engine.Set(a.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "draining"));
            Engine.Set(b.Id, new MaintenanceStatus("worker-b", MaintenanceStep.Drain, "draining"));
            var first = await Http.GetFromJsonAsync<MaintenanceList>("api/v1/maintenances?state=Running&limit=1", ApiJson.Options, Token);
            leave(first!.Items.ShouldHaveSingleItem().Id);
            var second = await Http.GetFromJsonAsync<MaintenanceList>($"api/v1/maintenances?state=Running&limit=1&after={first.Next}", ApiJson.Options, Token);
            pages.AddRange([first.Items[0].Id, second!.Items.ShouldHaveSingleItem().Id]);
            second.Next.ShouldBeNull();
        }

        pages.ShouldBe([b.Id, a.Id, b.Id, a.Id]);
    }

    [Fact]
    public async Task The_description_of_the_api_is_served()
    {
        var description = await Http.GetStringAsync("openapi/v1.json", Token);
        var page = await Http.GetAsync("docs", Token);

        description.ShouldContain("/api/v1/maintenances/{id}/cancel");
        description.ShouldContain("\"maxParallelEvictions\"");
        page.StatusCode.ShouldBe(HttpStatusCode.OK);
        (await Http.GetStringAsync("healthz", Token)).ShouldBe("ok");
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private Task<MaintenanceView> CreateAsync(string node) => Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = node }, null, Token);

    private void End(string id, MaintenanceOutcome outcome) => Engine.Set(
        id, output: new MaintenanceReport("worker-a", outcome, "It is over."), status: OrchestrationRuntimeStatus.Completed);
}
