using System.Net;
using System.Net.Http.Json;
using System.Text;
using Drydock.Api;
using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Suspend, resume and extend by REST, over the real host.</summary>
public sealed class SteeringDoorTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Deadline = new(2026, 3, 1, 3, 0, 0, 123, TimeSpan.Zero);

    private RestHost _host = null!;

    private InMemoryClient Engine => _host.Client;

    private HttpClient Http => _host.Http;

    private DrydockApiClient Api => new(Http);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_wish_reaches_the_maintenance_with_who_and_why()
    {
        var id = await BeginAsync(Draining());

        await Api.SuspendMaintenanceAsync(id, "the storage is down", "CHG-1", Token);
        await Api.ResumeMaintenanceAsync(id, null, null, Token);
        await Api.ExtendMaintenanceAsync(id, "1h30m", "the fan takes longer", null, Token);

        var steers = Engine.Raised.Select(static raised => raised.Payload.ShouldBeOfType<Steer>()).ToList();
        Engine.Raised.ShouldAllBe(static raised => raised.Name == MaintenanceEvents.Steer);
        steers.ShouldAllBe(static steer => steer.RequestedFrom == "127.0.0.1");
        steers.Select(static steer => (steer.Kind, steer.Reason, HasKey: steer.Key is not null)).ShouldBe(
            [(SteerKind.Suspend, "the storage is down", true), (SteerKind.Resume, null, false), (SteerKind.Extend, "the fan takes longer", false)]);
        steers.ShouldAllBe(static steer => steer.By.Length > 0);
        (steers[2].From, steers[2].To).ShouldBe((Deadline, Deadline.AddMinutes(90)));
    }

    [Fact]
    public async Task A_suspended_maintenance_says_so_and_shows_no_deadline_that_runs()
    {
        var since = Deadline.AddHours(-1);
        var id = await BeginAsync(Draining() with
        {
            Suspension = new Suspension("ann", "the storage is down", since),
            Steers = [new SteerRecord(SteerKind.Suspend, "ann", "the storage is down", since)],
        });

        var view = await Api.GetMaintenanceAsync(id, Token);

        (view.State, view.Deadline, view.Suspension).ShouldBe((MaintenanceState.Suspended, null, new SuspensionView("ann", "the storage is down", since)));
        view.Message.ShouldBe("Suspended by ann since 2026-03-01 02:00:00Z: the storage is down. Nothing new is begun and no deadline passes until it is resumed. draining");
        view.Steers.ShouldHaveSingleItem().Kind.ShouldBe("Suspend");
        (await Api.ListMaintenancesAsync(null, onlyRunning: true, null, Token)).Items.Single().State.ShouldBe(MaintenanceState.Suspended);
    }

    [Fact]
    public async Task A_key_that_was_obeyed_changes_nothing_more_and_goes_with_no_other_request()
    {
        var id = await BeginAsync(Draining());
        await Api.ExtendMaintenanceAsync(id, "30m", null, "CHG-2", Token);
        var sent = (Steer)Engine.Raised.Single().Payload!;
        Engine.Set(id, Draining() with
        {
            Deadline = sent.To, Steers = [new SteerRecord(sent.Kind, sent.By, null, Deadline) { From = sent.From, To = sent.To, Key = sent.Key }],
        });

        var again = await Api.ExtendMaintenanceAsync(id, "30m", null, "CHG-2", Token);
        var longer = await Should.ThrowAsync<ApiProblemException>(() => Api.ExtendMaintenanceAsync(id, "2h", null, "CHG-2", Token));
        var other = await Should.ThrowAsync<ApiProblemException>(() => Api.SuspendMaintenanceAsync(id, null, "CHG-2", Token));

        again.Deadline.ShouldBe(Deadline.AddMinutes(30));
        (longer.Problem.Type, other.Problem.Type).ShouldBe((ProblemTypes.KeyReused, ProblemTypes.KeyReused));
        Engine.Raised.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_cannot_be_steered_is_refused_in_words()
    {
        var powerCycle = new ActionRecord("action", ActionPoint.Action, new ActionStep(MaintenanceAction.PowerCycle, new ActionOptions()), "It begins.");
        var id = await BeginAsync(new MaintenanceStatus("worker-a", MaintenanceStep.Action, "off") { Deadline = Deadline, Actions = [powerCycle] });

        (await RefusedAsync(() => Api.SuspendMaintenanceAsync(id, null, null, Token))).ShouldContain("a power-cycle in hand, which is not suspended");
        (await RefusedAsync(() => Api.ExtendMaintenanceAsync(id, "1h", null, null, Token))).ShouldContain("a power-cycle in hand, which is not extended");
        Engine.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held") { IsHolding = true });
        (await RefusedAsync(() => Api.ExtendMaintenanceAsync(id, "1h", null, null, Token))).ShouldContain("has no deadline now that could be extended: the step in hand is Action");
        Engine.Set(id, Draining() with { IsCancelling = true });
        (await RefusedAsync(() => Api.ResumeMaintenanceAsync(id, null, null, Token))).ShouldContain("is being cancelled");
        Engine.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Restore, "back"));
        (await RefusedAsync(() => Api.SuspendMaintenanceAsync(id, null, null, Token))).ShouldContain("is putting the node back");
        var unknown = await Should.ThrowAsync<ApiProblemException>(() => Api.SuspendMaintenanceAsync("m-0", null, null, Token));
        unknown.Problem.Type.ShouldBe(ProblemTypes.NotFound);
        Engine.Raised.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("extend", "{}", "by")]
    [InlineData("extend", """{"by":"soon"}""", "by")]
    [InlineData("extend", """{"by":"31d"}""", "by")]
    [InlineData("extend", """{"by":"0s"}""", "by")]
    [InlineData("suspend", """{"until":"tomorrow"}""", "until")]
    [InlineData("resume", """{"reason":7}""", "reason")]
    public async Task A_wrong_field_is_named_and_changes_nothing(string action, string json, string field)
    {
        var id = await BeginAsync(Draining());

        var answer = await PostAsync(id, action, json, null);

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        (await answer.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, Token))!.Errors.ShouldHaveSingleItem().Field.ShouldBe(field);
        Engine.Raised.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_change_meets_the_maintenance_that_was_read_or_nothing()
    {
        var id = await BeginAsync(Draining());
        var read = await Http.GetAsync($"api/v1/maintenances/{id}", Token);
        var tag = read.Headers.ETag!.Tag;
        Engine.Set(id, Draining() with { Message = "another" });

        var late = await PostAsync(id, "extend", """{"by":"1h"}""", tag);
        Engine.Raised.ShouldBeEmpty();
        var inTime = await PostAsync(id, "extend", """{"by":"1h"}""", late.Headers.ETag!.Tag);

        (late.StatusCode, inTime.StatusCode).ShouldBe((HttpStatusCode.PreconditionFailed, HttpStatusCode.Accepted));
        inTime.Headers.ETag.ShouldNotBeNull();
        Engine.Raised.Count.ShouldBe(1);
    }

    [Fact]
    public async Task What_was_waited_for_may_be_said_while_it_is_suspended()
    {
        var suspended = new Suspension("ann", null, Deadline);
        var id = await BeginAsync(new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held") { IsHolding = true, Suspension = suspended });

        await Api.CompleteMaintenanceAsync(id, skipHealth: false, Token);
        Engine.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Approve, "waiting") { AwaitsApproval = ApprovalGate.Start, Suspension = suspended });
        await Api.ApproveMaintenanceAsync(id, null, Token);

        Engine.Raised.Select(static raised => raised.Name).ShouldBe([MaintenanceEvents.Complete, MaintenanceEvents.Approval(ApprovalGate.Start)]);
    }

    [Fact]
    public async Task What_was_waited_for_may_be_said_while_the_lease_is_lost_but_not_once_it_is_being_cancelled()
    {
        var held = new MaintenanceStatus("worker-a", MaintenanceStep.Action, "held") { IsHolding = true };
        var gate = new MaintenanceStatus("worker-a", MaintenanceStep.Approve, "waiting") { AwaitsApproval = ApprovalGate.Action };
        var id = await BeginAsync(held with { IsCancelling = true });
        await RefusedAsync(() => Api.CompleteMaintenanceAsync(id, skipHealth: false, Token));
        Engine.Set(id, gate with { IsCancelling = true });
        await RefusedAsync(() => Api.ApproveMaintenanceAsync(id, null, Token));
        Engine.Raised.ShouldBeEmpty();

        Engine.Set(id, held with { IsLeaseLost = true });
        await Api.CompleteMaintenanceAsync(id, skipHealth: false, Token);
        Engine.Set(id, gate with { IsLeaseLost = true });
        await Api.ApproveMaintenanceAsync(id, null, Token);
        await Api.RejectMaintenanceAsync(id, null, Token);

        Engine.Raised.Select(static raised => raised.Name).ShouldBe(
            [MaintenanceEvents.Complete, MaintenanceEvents.Approval(ApprovalGate.Action), MaintenanceEvents.Approval(ApprovalGate.Action)]);
    }

    [Fact]
    public async Task A_cancel_that_comes_when_all_is_being_put_back_is_refused_unless_it_repeats_one()
    {
        var id = await BeginAsync(new MaintenanceStatus("worker-a", MaintenanceStep.Restore, "back"));

        (await RefusedAsync(() => Api.CancelMaintenanceAsync(id, null, Token))).ShouldBe(
            $"Maintenance {id} is putting back what was changed already, and a cancel changes nothing of that. If the node is still cordoned when it is over: drydock restore worker-a");
        Engine.Raised.ShouldBeEmpty();
        Engine.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Restore, "back") { IsCancelling = true });
        await Api.CancelMaintenanceAsync(id, null, Token);

        Engine.Raised.ShouldHaveSingleItem().Name.ShouldBe(MaintenanceEvents.Cancel);
    }

    private static MaintenanceStatus Draining() => new("worker-a", MaintenanceStep.Drain, "draining") { Deadline = Deadline };

    private async Task<string> BeginAsync(MaintenanceStatus status)
    {
        var view = await Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "worker-a" }, null, Token);
        Engine.Set(view.Id, status);
        return view.Id;
    }

    private async Task<HttpResponseMessage> PostAsync(string id, string action, string json, string? ifMatch)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"api/v1/maintenances/{id}/{action}") { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await Http.SendAsync(request, Token);
    }

    private static async Task<string> RefusedAsync(Func<Task> ask)
    {
        var refused = await Should.ThrowAsync<ApiProblemException>(ask);
        refused.Problem.Type.ShouldBe(ProblemTypes.WrongState);
        return refused.Problem.Detail!;
    }
}
