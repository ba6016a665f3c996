using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Drydock.Server.Rest;

/// <summary>The resource <c>rollouts</c>.</summary>
internal static class RolloutEndpoints
{
    public static void MapRollouts(this IEndpointRouteBuilder api)
    {
        var rollouts = api.MapGroup("/rollouts").WithTags("Rollouts").WithVersions("id", static async (context, id, cancellationToken) =>
            await context.RequestServices.GetRequiredService<Rollouts>().FindAsync(id, cancellationToken));
        rollouts.MapPost("/", CreateAsync).Needs(Permissions.CreateRollout).WithName("CreateRollout").WithSummary("Start the maintenance of several nodes.");
        rollouts.MapGet("/", ListAsync).Needs(Permissions.ListRollouts).WithName("ListRollouts").WithSummary("One page of rollouts, the newest first.")
            .WithDescription("`limit` is 1 to 500, 50 unless said otherwise.");
        rollouts.MapGet("/{id}", GetAsync).Needs(Permissions.GetRollout).WithName("GetRollout").WithSummary("One rollout as it stands.");
        rollouts.MapGet("/{id}/events", EventsAsync).Needs(Permissions.WatchRollout).WithName("WatchRollout")
            .WithSummary("Server-sent events of type 'rollout', each the whole rollout, until it is over.")
            .WithDescription("After a break send the id of the last event as `Last-Event-ID`: what changed meanwhile comes at once, and nothing twice; 204 if it is over and nothing came since, after which a browser asks no more. After 20 s of silence comes an event of type `heartbeat`, which says nothing but that the stream lives.");
        rollouts.MapPost("/{id}/cancel", CancelAsync).Needs(Permissions.CancelRollout).WithName("CancelRollout").WithSummary("Take no new node and cancel those under maintenance.");
        rollouts.MapPost("/{id}/stop", StopAsync).Needs(Permissions.SteerRollout).WithName("StopRollout").WithSummary("Take no new node; finish those under maintenance.");
        rollouts.MapPost("/{id}/pause", PauseAsync).Needs(Permissions.SteerRollout).WithName("PauseRollout").WithSummary("Take no new node until told to resume.");
        rollouts.MapPost("/{id}/skip", SkipAsync).Needs(Permissions.SteerRollout).WithName("SkipRolloutNode").WithSummary("Leave out a node whose turn has not come.");
        rollouts.MapPost("/{id}/retry", RetryAsync).Needs(Permissions.SteerRollout).WithName("RetryRolloutNode").WithSummary("Take a node again that failed, was cancelled or was left out.");
        rollouts.MapPost("/{id}/resume", ResumeAsync).Needs(Permissions.SteerRollout).WithName("ResumeRollout").WithSummary("Let a paused rollout go on.")
            .WithDescription("With a new failure budget. Heard after a pause that was said before it; of a rollout that is not paused it changes nothing.");
    }

    private static async Task<Results<Created<RolloutView>, ProblemResult>> CreateAsync(
        Body<RolloutCreate> body,
        [FromHeader(Name = DrydockApiClient.IdempotencyKeyHeader)] string? idempotencyKey,
        HttpContext context,
        Rollouts rollouts,
        CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await rollouts.CreateAsync(body.Value, Caller.From(context), idempotencyKey, cancellationToken);
        return answer.IsOk
            ? TypedResults.Created($"/api/v1/rollouts/{answer.Value.Id}", answer.Value)
            : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<RolloutList>, ProblemResult>> ListAsync(
        string? limit, string? after, Rollouts rollouts, CancellationToken cancellationToken)
    {
        if (!Paging.TryReadLimit(limit, out var size))
        {
            return new ProblemResult(Problems.Invalid(new FieldError("limit", limit, Paging.LimitAllowed)));
        }

        var answer = await rollouts.ListAsync(size, after, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<RolloutView>, ProblemResult>> GetAsync(
        string id, Rollouts rollouts, CancellationToken cancellationToken) =>
        await rollouts.FindAsync(id, cancellationToken) is { } view
            ? TypedResults.Ok(view)
            : new ProblemResult(Problems.NotFound("rollout", id));

    private static async Task<Results<ServerSentEventsResult<RolloutView>, NoContent, ProblemResult>> EventsAsync(
        string id, [FromHeader(Name = "Last-Event-ID")] string? lastEventId, Rollouts rollouts, HttpContext context, CancellationToken cancellationToken) =>
        await rollouts.FindAsync(id, cancellationToken) is not { } view ? new ProblemResult(Problems.NotFound("rollout", id))
            : EventStream.IsKnown(view, view.IsOver, lastEventId) ? TypedResults.NoContent()
            : EventStream.Of(context, "rollout", lastEventId, stop => rollouts.WatchAsync(id, stop));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> CancelAsync(
        string id, Body<CancelRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.CancelAsync(id, Caller.From(context), body.Value.Reason, cancellationToken));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> StopAsync(
        string id, Body<CancelRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.StopAsync(id, Caller.From(context), body.Value.Reason, cancellationToken));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> PauseAsync(
        string id, Body<CancelRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.PauseAsync(id, Caller.From(context), body.Value.Reason, cancellationToken));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> SkipAsync(
        string id, Body<RolloutNodeRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.SkipAsync(id, body.Value, Caller.From(context), cancellationToken));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> RetryAsync(
        string id, Body<RolloutNodeRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.RetryAsync(id, body.Value, Caller.From(context), cancellationToken));

    private static async Task<Results<Accepted<RolloutView>, ProblemResult>> ResumeAsync(
        string id, Body<SteerRequest> body, HttpContext context, Rollouts rollouts, CancellationToken cancellationToken) =>
        body.Problem is { } malformed
            ? new ProblemResult(malformed)
            : Accepted(await rollouts.ResumeAsync(id, Caller.From(context), body.Value.Reason, cancellationToken));

    private static Results<Accepted<RolloutView>, ProblemResult> Accepted(Answer<RolloutView> answer) =>
        answer.IsOk ? TypedResults.Accepted((string?)null, answer.Value) : new ProblemResult(answer.Problem);
}
