using System.Net;
using Drydock.Api;
using Drydock.DurableTask.Client;
using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Windows by REST, over the real host; behind the doors a dictionary stands for the engine and a stub for the cluster.</summary>
public sealed class WindowDoorTests : IAsyncLifetime
{
    private RestHost _host = null!;

    private InMemoryClient Engine => _host.Client;

    private DrydockApiClient Api => new(_host.Http);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a", "worker-b"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task A_window_is_set_up_once_and_says_when_it_opens_next()
    {
        var create = new WindowCreate
        {
            Name = "nightly", Cron = "0 22 * * *", Duration = "4h", TimeZone = "Europe/Berlin", Rollout = new RolloutCreate { Nodes = ["worker-a"] },
        };

        var first = await Api.CreateWindowAsync(create, Token);
        await Api.CreateWindowAsync(create, Token);
        var other = await Should.ThrowAsync<ApiProblemException>(() => Api.CreateWindowAsync(create with { Cron = "0 23 * * *" }, Token));
        Engine.Heard = (id, _) => Engine.Set(id, new WindowStatus("Cancelled.") { IsCancelled = true }, status: OrchestrationRuntimeStatus.Completed);
        await Api.DeleteWindowAsync("nightly", "no nights any more", Token);

        first.Next.Count.ShouldBe(3);
        first.Times.ShouldBe(["0 22 * * * for 4h (Europe/Berlin)"]);
        Engine.Started.ShouldBe(["w-nightly"]);
        other.Problem.Status.ShouldBe(409);
        var (_, name, told) = Engine.Raised.ShouldHaveSingleItem();
        name.ShouldBe(WindowEvents.Cancel);
        told.ShouldBe(new Cancel(Engine.InputOf<WindowRequest>("w-nightly").Rollout.Template.RequestedBy!, "no nights any more") { RequestedFrom = "127.0.0.1", PutsBack = true });
    }

    [Fact]
    public async Task A_window_that_is_being_removed_has_no_coming_openings_and_is_not_set_up_again_before_it_is_gone()
    {
        var create = new WindowCreate { Name = "nightly", Cron = "0 22 * * *", Duration = "4h", Rollout = new RolloutCreate { Nodes = ["worker-a"] } };
        await Api.CreateWindowAsync(create, Token);
        var ending = new WindowStatus("Cancelled. The nodes in hand are not done yet.") { Rollout = "w-nightly:1", IsCancelled = true };
        Engine.Set("w-nightly", ending);

        var tooEarly = await Should.ThrowAsync<ApiProblemException>(() => Api.CreateWindowAsync(create, Token));
        var view = await Api.GetWindowAsync("nightly", 3, Token);
        Engine.Set("w-nightly", ending, status: OrchestrationRuntimeStatus.Completed);
        var again = await Api.CreateWindowAsync(create, Token);

        (tooEarly.Problem.Status, tooEarly.Problem.Detail).ShouldBe(
            (409, "Window 'nightly' is being removed; the nodes in hand are not done yet. Try again when it is gone."));
        view.Next.ShouldBeEmpty();
        again.Next.Count.ShouldBe(3);
        Engine.Started.ShouldBe(["w-nightly", "w-nightly"]);
    }

    [Theory]
    [InlineData("name", """{"name":"Nightly!","cron":"0 22 * * *","duration":"4h","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("cron", """{"name":"n","cron":"often","duration":"4h","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("duration", """{"name":"n","cron":"0 22 * * *","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("timeZone", """{"name":"n","cron":"0 22 * * *","duration":"4h","timeZone":"Mars","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("rollout", """{"name":"n","cron":"0 22 * * *","duration":"4h"}""")]
    [InlineData("cron", """{"name":"n","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("times[0].to", """{"name":"n","times":[{"from":"2026-01-02T03:00:00Z","to":"2026-01-02T03:00:00Z"}],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("times[0].from", """{"name":"n","times":[{"from":"2026-01-02T03:00:00","to":"2026-01-02T04:00:00Z"}],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("times[0].timeZone", """{"name":"n","times":[{"cron":"0 2 * * *","duration":"1h","timeZone":"Mars"}],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackouts[1]", """{"name":"n","cron":"0 2 * * *","duration":"1h","blackouts":["2026-12-24/2026-12-26","Easter"],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackouts[0]", """{"name":"n","cron":"0 2 * * *","duration":"1h","blackouts":["2026-12-26/2026-12-24"],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackoutCalendar", """{"name":"n","cron":"0 2 * * *","duration":"1h","blackoutCalendar":"holidays","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackouts[0]", """{"name":"n","cron":"0 2 * * *","duration":"1h","blackouts":["2026-12-24/9999-12-31"],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackouts[0]", """{"name":"n","cron":"0 2 * * *","duration":"1h","timeZone":"Asia/Tokyo","blackouts":["0001-01-01"],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("times[0].to", """{"name":"n","times":[{"from":"2026-01-02T03:00:00Z","to":"9999-12-31T23:59:59Z"}],"rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("blackoutCalendar", """{"name":"n","cron":"0 2 * * *","duration":"1h","blackoutCalendar":"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART;TZID=Customized Time Zone:20261201T140000\r\nDTEND;TZID=Customized Time Zone:20261201T150000\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("onClose", """{"name":"n","cron":"0 2 * * *","duration":"1h","onClose":"Panic","rollout":{"nodes":["worker-a"]}}""")]
    [InlineData("rollout.nodes[0]", """{"name":"n","cron":"0 22 * * *","duration":"4h","rollout":{"nodes":["nope"]}}""")]
    public async Task A_bad_window_is_answered_with_the_field(string field, string json)
    {
        var problem = await _host.RefusedAsync("api/v1/windows", json, HttpStatusCode.BadRequest);

        problem.Errors.ShouldHaveSingleItem().Field.ShouldBe(field);
        Engine.Started.ShouldBeEmpty();
    }
}
