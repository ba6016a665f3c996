using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using Drydock.Api;
using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Rollouts and windows are changed only as the caller saw them, if he says which version that was.</summary>
public sealed class VersionTests : IAsyncLifetime
{
    private RestHost _host = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Theory]
    [InlineData("cancel", "{}")]
    [InlineData("stop", "{}")]
    [InlineData("pause", "{}")]
    [InlineData("resume", "{}")]
    [InlineData("skip", "{\"node\":\"worker-a\"}")]
    public async Task A_rollout_is_steered_only_as_the_caller_saw_it(string verb, string body)
    {
        var id = (await new DrydockApiClient(_host.Http).CreateRolloutAsync(new RolloutCreate { Nodes = ["worker-a"] }, null, Token)).Id;
        var path = $"api/v1/rollouts/{id}";
        var old = await TagAsync(path);
        _host.Client.Set(id, new RolloutStatus([]) { IsPaused = true, Total = 1, Message = "Paused." });
        var now = await TagAsync(path);

        now.ShouldNotBe(old);
        await RefusedAsync(HttpMethod.Post, $"{path}/{verb}", body, old, now);
        _host.Client.Raised.ShouldBeEmpty();
        using var unchanged = await SendAsync(HttpMethod.Get, path, null, request => request.Headers.IfNoneMatch.Add(now));
        using var done = await SendAsync(HttpMethod.Post, $"{path}/{verb}", body, request => request.Headers.IfMatch.Add(now));
        (unchanged.StatusCode, done.StatusCode).ShouldBe((HttpStatusCode.NotModified, HttpStatusCode.Accepted));
        _host.Client.Raised.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_window_is_removed_only_as_the_caller_saw_it()
    {
        await new DrydockApiClient(_host.Http).CreateWindowAsync(
            new WindowCreate { Name = "once", Times = [new WindowTimesCreate { From = "2126-03-01T22:00:00Z", To = "2126-03-02T04:00:00Z" }], Rollout = new RolloutCreate { Nodes = ["worker-a"] } }, Token);
        var seen = await TagAsync("api/v1/windows/once");

        await RefusedAsync(HttpMethod.Delete, "api/v1/windows/once", null, new EntityTagHeaderValue("\"other\""), seen);
        _host.Client.Raised.ShouldBeEmpty();
        _host.Client.Heard = (id, _) => _host.Client.Set(id, new WindowStatus("Cancelled.") { IsCancelled = true });
        using var done = await SendAsync(HttpMethod.Delete, "api/v1/windows/once", null, request => request.Headers.IfMatch.Add(seen));
        done.StatusCode.ShouldBe(HttpStatusCode.NoContent);
        _host.Client.Raised.ShouldHaveSingleItem().Name.ShouldBe(WindowEvents.Cancel);
    }

    private async Task RefusedAsync(HttpMethod method, string path, string? body, EntityTagHeaderValue wrong, EntityTagHeaderValue right)
    {
        using var refused = await SendAsync(method, path, body, request => request.Headers.IfMatch.Add(wrong));
        refused.StatusCode.ShouldBe(HttpStatusCode.PreconditionFailed);
        refused.Headers.ETag.ShouldBe(right, "What to say after reading it again.");
        var problem = await refused.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, Token);
        (problem!.Type, problem.Errors.ShouldHaveSingleItem().Field).ShouldBe((ProblemTypes.Changed, "If-Match"));
    }

    private async Task<EntityTagHeaderValue> TagAsync(string path)
    {
        using var answer = await SendAsync(HttpMethod.Get, path, null, static _ => { });
        return answer.Headers.ETag.ShouldNotBeNull();
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? body, Action<HttpRequestMessage> prepare)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : new StringContent(body, System.Text.Encoding.UTF8, "application/json") };
        prepare(request);
        return await _host.Http.SendAsync(request, Token);
    }
}
