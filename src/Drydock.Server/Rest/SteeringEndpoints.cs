using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Drydock.Server.Rest;

/// <summary>Suspend, resume and extend of a maintenance.</summary>
internal static class SteeringEndpoints
{
    private delegate Task<Answer<MaintenanceView>> Steers<in T>(Steering doors, string id, Requester by, T request, string? key, CancellationToken cancellationToken);

    public static void MapSteering(this RouteGroupBuilder maintenances)
    {
        maintenances.MapPost("/{id}/suspend", Endpoint<SteerRequest>(static (doors, id, by, request, key, stop) => doors.SuspendAsync(id, by, request, key, stop)))
            .Needs(Permissions.SteerMaintenance).WithName("SuspendMaintenance").WithSummary("Begin nothing new until it is resumed.")
            .WithDescription("No pod is evicted, no machine told to move and no action begun. What is in flight goes on; the node stays as it is; no deadline passes. A power-cycle in hand is not suspended (409).");
        maintenances.MapPost("/{id}/resume", Endpoint<SteerRequest>(static (doors, id, by, request, key, stop) => doors.ResumeAsync(id, by, request, key, stop)))
            .Needs(Permissions.SteerMaintenance).WithName("ResumeMaintenance").WithSummary("Let a suspended maintenance go on.")
            .WithDescription("Its deadlines move by the time it was suspended.");
        maintenances.MapPost("/{id}/extend", Endpoint<ExtendRequest>(static (doors, id, by, request, key, stop) => doors.ExtendAsync(id, by, request, key, stop)))
            .Needs(Permissions.SteerMaintenance).WithName("ExtendMaintenance").WithSummary("Move the deadline of the step in hand.")
            .WithDescription("`by` is from 1s to 30d. With an `Idempotency-Key` a repetition moves it once; without one each request moves it further. A step without a deadline is not extended (409).");
    }

    private static Delegate Endpoint<T>(Steers<T> steers)
        where T : class =>
        async Task<Results<Accepted<MaintenanceView>, ProblemResult>> (
            string id, Body<T> body, [FromHeader(Name = DrydockApiClient.IdempotencyKeyHeader)] string? idempotencyKey, HttpContext context, Steering doors,
            CancellationToken cancellationToken) =>
        {
            if (body.Problem is { } malformed)
            {
                return new ProblemResult(malformed);
            }

            var answer = await steers(doors, id, Caller.From(context), body.Value, idempotencyKey, cancellationToken);
            return answer.IsOk ? TypedResults.Accepted((string?)null, answer.Value) : new ProblemResult(answer.Problem);
        };
}
