using System.Globalization;
using System.Net;
using System.Text;
using Drydock.Api;
using Drydock.Maintenance;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Actions, approvals and call-backs by REST, over the real host.</summary>
public sealed class ActionDoorTests : IAsyncLifetime
{
    private RestHost _host = null!;

    private InMemoryClient Engine => _host.Client;

    private HttpClient Http => _host.Http;

    private DrydockApiClient Api => new(Http);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a"], static services => services.Replace(ServiceDescriptor.Singleton<ISecretFiles>(new Secret())));

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task Actions_hooks_approvals_and_health_are_read()
    {
        var view = await Api.CreateMaintenanceAsync(
            new MaintenanceCreate
            {
                Node = "worker-a",
                Action = "powerCycle",
                ActionOptions = new ActionSettings { PowerOffFor = "10m", Timeout = "1h" },
                Hooks = new HookSettings { BeforeDrain = [new HookAction { Kind = "Job", Template = "backup" }] },
                Policy = "metal",
                Approval = new ApprovalSettings { Gates = ["Start", "uncordon"], Timeout = "2h" },
                Health = new HealthSettings { KubeletVersion = "v1.36.0", Probes = ["quiet"] },
                Remediation = "LabelOnly",
            },
            null,
            Token);

        var request = Engine.InputOf<MaintenanceRequest>(view.Id);
        (request.Action, request.ActionOptions.PowerOffFor, request.ActionOptions.Timeout).ShouldBe((MaintenanceAction.PowerCycle, TimeSpan.FromMinutes(10), TimeSpan.FromHours(1)));
        var hook = request.Hooks.BeforeDrain.ShouldHaveSingleItem();
        (hook.Kind, hook.Options.Template, request.Policy).ShouldBe((MaintenanceAction.Job, "backup", "metal"));
        request.Approval.Gates.ShouldBe([ApprovalGate.Start, ApprovalGate.Uncordon]);
        (request.Health.KubeletVersion, request.Health.Probes.Single(), request.Remediation).ShouldBe(("v1.36.0", "quiet", RemediationPolicy.LabelOnly));
    }

    [Theory]
    [InlineData("""{"node":"worker-a","action":"explode"}""", "action")]
    [InlineData("""{"node":"worker-a","actionOptions":{"timeout":"soon"}}""", "actionOptions.timeout")]
    [InlineData("""{"node":"worker-a","hooks":{"afterDrain":[{"template":"x"}]}}""", "hooks.afterDrain[0].kind")]
    [InlineData("""{"node":"worker-a","approval":{"gates":["Lunch"]}}""", "approval.gates[0]")]
    [InlineData("""{"node":"worker-a","health":{"kubeletVersion":"newest"}}""", "health.kubeletVersion")]
    [InlineData("""{"node":"worker-a","action":"Job","actionOptions":{"manifest":"{}"}}""", "actionOptions.manifest")]
    [InlineData("""{"node":"worker-a","action":"Job","actionOptions":{"manifest":{"spec":{}}}}""", "actionOptions.manifest.metadata.namespace")]
    [InlineData("""{"node":"worker-a","action":"Job","actionOptions":{"manifest":{"metadata":{"namespace":"ops"},"spec":{}}}}""", "actionOptions.manifest")]
    [InlineData("""{"node":"worker-a","action":"Reboot","actionOptions":{"manifest":{"metadata":{"namespace":"ops"},"spec":{"template":{"spec":{"containers":[{}]}}}}}}""", "actionOptions.manifest")]
    [InlineData("""{"node":"worker-a","action":"Job","actionOptions":{"template":"x","manifest":{"metadata":{"namespace":"ops"},"spec":{"template":{"spec":{"containers":[{}]}}}}}}""", "actionOptions.manifest")]
    [InlineData("""{"node":"worker-a","virtualMachines":{"onCancel":"perhaps"}}""", "virtualMachines.onCancel")]
    public async Task A_wrong_field_is_named_and_nothing_is_started(string json, string field)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");

        var answer = await Http.PostAsync("api/v1/maintenances", content, Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await answer.Content.ReadAsStringAsync(Token)).ShouldContain($"\"{field}\"");
        Engine.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_approval_reaches_the_gate_that_waits_and_no_other()
    {
        var view = await Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a" }, null, Token);
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "draining"));
        var tooEarly = await Should.ThrowAsync<ApiProblemException>(() => Api.ApproveMaintenanceAsync(view.Id, null, Token));
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Approve, "waiting") { AwaitsApproval = ApprovalGate.Uncordon });

        var waiting = await Api.RejectMaintenanceAsync(view.Id, "not yet", Token);

        tooEarly.Problem.Type.ShouldBe(ProblemTypes.WrongState);
        (waiting.State, waiting.AwaitsApproval).ShouldBe((MaintenanceState.AwaitingApproval, "Uncordon"));
        var raised = Engine.Raised.ShouldHaveSingleItem();
        var decision = raised.Payload.ShouldBeOfType<Approval>();
        (raised.Name, decision.IsApproved, decision.Reason).ShouldBe(("approval-uncordon", false, "not yet"));
    }

    [Theory]
    [InlineData("key", "", "action", HttpStatusCode.NoContent)]
    [InlineData("wrong key", "", "action", HttpStatusCode.NotFound)]
    [InlineData("key", "x", "actionx", HttpStatusCode.NotFound)]
    [InlineData("key", "", "before-drain-1", HttpStatusCode.NotFound)]
    [InlineData("key", "", null, HttpStatusCode.NotFound)]
    public async Task A_call_back_counts_only_with_the_signature_for_its_call_and_where_one_is_waited_for(
        string key, string suffix, string? signedFor, HttpStatusCode expected)
    {
        var view = await Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a" }, null, Token);
        Engine.Set(InstanceIds.Action(view.Id, "action"), new ActionStatus("waiting", null) { CallbackSecretFile = "key" }, name: Orchestrations.Action);
        const string body = """{"succeeded":true,"message":"done"}""";
        var timestamp = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"api/v1/maintenances/{view.Id}/callbacks/action{suffix}")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.Add(WebhookSignature.TimestampHeader, timestamp);
        request.Headers.Add(WebhookSignature.Header, signedFor is null
            ? WebhookSignature.Of(key, timestamp, body)
            : WebhookSignature.OfCallback(key, timestamp, WebhookSignature.KeyOf(view.Id, signedFor), body));

        var answer = await Http.SendAsync(request, Token);

        answer.StatusCode.ShouldBe(expected);
        Engine.Raised.Count.ShouldBe(expected == HttpStatusCode.NoContent ? 1 : 0);
    }

    [Fact]
    public async Task A_power_cycle_tells_the_deadline_of_the_wait_that_it_is_in()
    {
        var (began, now) = (new DateTimeOffset(2026, 1, 2, 3, 34, 0, TimeSpan.Zero), new DateTimeOffset(2026, 1, 2, 4, 4, 0, TimeSpan.Zero));
        var view = await Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a" }, null, Token);
        var step = new ActionStep(MaintenanceAction.PowerCycle, new ActionOptions());
        Engine.Set(view.Id, new MaintenanceStatus("worker-a", MaintenanceStep.Action, "off")
        {
            Deadline = began, Actions = [new ActionRecord("action", ActionPoint.Action, step, "off")],
        });
        Engine.Set(InstanceIds.Action(view.Id, "action"), new ActionStatus("It is kept off.", now), name: Orchestrations.Action);

        (await Api.GetMaintenanceAsync(view.Id, Token)).Deadline.ShouldBe(now);
    }

    private sealed class Secret : ISecretFiles
    {
        public Task<string?> ReadAsync(string name, CancellationToken cancellationToken) => Task.FromResult<string?>(name);
    }
}
