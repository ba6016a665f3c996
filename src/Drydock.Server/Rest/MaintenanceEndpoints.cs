using System.Globalization;
using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Drydock.Server.Rest;

/// <summary>The resource <c>maintenances</c>, and plans.</summary>
internal static class MaintenanceEndpoints
{
    public static void MapMaintenances(this IEndpointRouteBuilder api)
    {
        var maintenances = api.MapGroup("/maintenances").WithTags("Maintenances").WithVersions("id", static async (context, id, cancellationToken) =>
            await context.RequestServices.GetRequiredService<Maintenances>().FindAsync(id, cancellationToken));
        maintenances.MapPost("/", CreateAsync).Needs(Permissions.CreateMaintenance).WithName("CreateMaintenance").WithSummary("Start the maintenance of a node.");
        maintenances.MapGet("/", ListAsync).Needs(Permissions.ListMaintenances).WithName("ListMaintenances").WithSummary("One page of maintenances, the newest first.")
            .WithDescription("`node`, `running` (true or false), `state` and `requestedBy` choose among them; `limit` is 1 to 500, 50 unless said otherwise.");
        maintenances.MapGet("/{id}", GetAsync).Needs(Permissions.GetMaintenance).WithName("GetMaintenance").WithSummary("One maintenance as it stands.");
        maintenances.MapGet("/{id}/history/stored", StoredHistoryAsync).Needs(Permissions.GetMaintenance).WithName("GetStoredHistory")
            .WithSummary("The same as it is stored, with its parts, to be replayed by another version of the code.");
        maintenances.MapGet("/{id}/history", HistoryAsync).Needs(Permissions.GetMaintenance).WithName("GetMaintenanceHistory").WithSummary("One page of what happened in it and its parts, in order of time.")
            .WithDescription("`limit` is 1 to 500, 50 unless said otherwise.");
        maintenances.MapGet("/{id}/events", EventsAsync).Needs(Permissions.WatchMaintenance).WithName("WatchMaintenance")
            .WithSummary("Server-sent events of type 'maintenance', each the whole maintenance, until it is over.")
            .WithDescription("After a break send the id of the last event as `Last-Event-ID`: what changed meanwhile comes at once, and nothing twice; 204 if it is over and nothing came since, after which a browser asks no more. After 20 s of silence comes an event of type `heartbeat`, which says nothing but that the stream lives.");
        maintenances.MapGet("/{id}/pods", PodsAsync).Needs(Permissions.GetMaintenance).WithName("ListMaintenancePods")
            .WithSummary("One page of the pods that have to leave, with what became of each.")
            .WithDescription("`gone` (true or false) chooses among them; `limit` is 1 to 500, 50 unless said otherwise.");
        maintenances.MapGet("/{id}/vms", VmsAsync).Needs(Permissions.GetMaintenance).WithName("ListMaintenanceVms").WithSummary("One page of its virtual machines.");
        maintenances.MapPost("/{id}/cancel", CancelAsync).Needs(Permissions.CancelMaintenance).WithName("CancelMaintenance").WithSummary("Stop it and put everything back.");
        maintenances.MapPost("/{id}/complete", CompleteAsync).Needs(Permissions.SteerMaintenance).WithName("CompleteMaintenance").WithSummary("Let a held node go on.");
        maintenances.MapSteering();
        maintenances.MapPost("/{id}/approve", (string id, Body<DecisionRequest> body, HttpContext context, Maintenances doors, CancellationToken stop) =>
            DecideAsync(id, isApproved: true, body, context, doors, stop))
            .Needs(Permissions.ApproveMaintenance).WithName("ApproveMaintenance").WithSummary("Approve the gate at which it waits.");
        maintenances.MapPost("/{id}/reject", (string id, Body<DecisionRequest> body, HttpContext context, Maintenances doors, CancellationToken stop) =>
            DecideAsync(id, isApproved: false, body, context, doors, stop))
            .Needs(Permissions.ApproveMaintenance).WithName("RejectMaintenance").WithSummary("Reject the gate at which it waits.");
        api.MapPost("/maintenances/{id}:complete", CompleteAsync).Needs(Permissions.SteerMaintenance).ExcludeFromDescription();
        maintenances.MapPost("/{id}/callbacks/{action}", CallbackEndpoint.PostAsync).WithMetadata(new TakesBody(OnlyJson: false)).ForAnybody().WithName("CallBack")
            .WithSummary("A webhook says how it went. Signed with the key of the webhook, for this call: Drydock-Signature is sha256= and HMAC-SHA256 over TIMESTAMP.KEY.BODY, with Drydock-Timestamp and the Idempotency-Key of the call.");
        api.MapPost("/plans", PlanAsync).Needs(Permissions.GetMaintenance).WithTags("Maintenances").WithName("PlanMaintenance")
            .WithSummary("What a maintenance would do, and every reason it could not. Changes nothing.");
        api.MapPost("/maintenances:plan", PlanTogetherAsync).Needs(Permissions.GetMaintenance).WithTags("Maintenances").WithName("PlanMaintenances")
            .WithSummary("What draining several nodes together would do, and every reason it could not. Changes nothing.");
    }

    private static string PodKey(PodResultView pod) => $"{pod.Namespace}/{pod.Name}/{pod.Uid}";

    private static string VmKey(VmView vm) => $"{vm.Namespace}/{vm.Name}";

    private static async Task<Results<Created<MaintenanceView>, ProblemResult>> CreateAsync(
        Body<MaintenanceCreate> body,
        [FromHeader(Name = DrydockApiClient.IdempotencyKeyHeader)] string? idempotencyKey,
        HttpContext context,
        Maintenances maintenances,
        CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await maintenances.CreateAsync(body.Value, Caller.From(context), idempotencyKey, cancellationToken);
        return answer.IsOk
            ? TypedResults.Created($"/api/v1/maintenances/{answer.Value.Id}", answer.Value)
            : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<MaintenanceList>, ProblemResult>> ListAsync(
        string? node, string? running, string? state, string? requestedBy, string? limit, string? after, Maintenances maintenances,
        CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var filter = new MaintenanceFilter
        {
            Node = node,
            OnlyRunning = reader.Flag("running", running) ?? false,
            State = state is null ? null : reader.Choice("state", state, MaintenanceState.Running, Enum.GetValues<MaintenanceState>()),
            RequestedBy = requestedBy,
        };
        if (!Paging.TryReadLimit(limit, out var size))
        {
            reader.Fail("limit", limit, Paging.LimitAllowed);
        }

        if (reader.Errors.Count > 0)
        {
            return new ProblemResult(Problems.Invalid(reader.Errors));
        }

        var answer = await maintenances.ListAsync(filter, size, after, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<PodList>, ProblemResult>> PodsAsync(
        string id, string? gone, string? limit, string? after, Maintenances maintenances, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var isGone = reader.Flag("gone", gone);
        if (reader.Errors.Count > 0)
        {
            return new ProblemResult(Problems.Invalid(reader.Errors));
        }

        var answer = await maintenances.PodsAsync(id, cancellationToken);
        if (!answer.IsOk)
        {
            return new ProblemResult(answer.Problem);
        }

        var (page, next, problem) = Paging.Page(
            [.. answer.Value.Where(pod => isGone is null || pod.IsGone == isGone)], PodKey, limit, after, Paging.ByKey<PodResultView>(PodKey));
        return problem is null ? TypedResults.Ok(new PodList(page, next)) : new ProblemResult(problem);
    }

    private static async Task<Results<Ok<VmList>, ProblemResult>> VmsAsync(
        string id, string? limit, string? after, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (await maintenances.FindAsync(id, cancellationToken) is not { } view)
        {
            return new ProblemResult(Problems.NotFound("maintenance", id));
        }

        var (page, next, problem) = Paging.Page(view.Vms, VmKey, limit, after, Paging.ByKey<VmView>(VmKey));
        return problem is null ? TypedResults.Ok(new VmList(page, next)) : new ProblemResult(problem);
    }

    private static async Task<Results<Ok<MaintenanceView>, ProblemResult>> GetAsync(
        string id, Maintenances maintenances, CancellationToken cancellationToken) =>
        await maintenances.FindAsync(id, cancellationToken) is { } view
            ? TypedResults.Ok(view)
            : new ProblemResult(Problems.NotFound("maintenance", id));

    private static async Task<Results<Ok<HistoryPage>, ProblemResult>> HistoryAsync(
        string id, string? limit, string? after, Maintenances maintenances, CancellationToken cancellationToken)
    {
        var answer = await maintenances.HistoryAsync(id, cancellationToken);
        if (!answer.IsOk)
        {
            return new ProblemResult(answer.Problem);
        }

        // A part that began anew counts from 1 again, and has lost what it was before: the time tells the two apart.
        var (page, next, problem) = Paging.Page(
            answer.Value,
            static line => $"{line.At.UtcTicks}.{line.Sequence}@{line.Instance}",
            limit,
            after,
            static key => key.Split('.', 2) is [var ticks, _] && long.TryParse(ticks, NumberStyles.None, CultureInfo.InvariantCulture, out var moment)
                ? line => line.At.UtcTicks > moment : null);
        return problem is null ? TypedResults.Ok(new HistoryPage(page, next)) : new ProblemResult(problem);
    }

    private static async Task<Results<ContentHttpResult, ProblemResult>> StoredHistoryAsync(
        string id, Maintenances maintenances, CancellationToken cancellationToken)
    {
        var answer = await maintenances.StoredHistoryAsync(id, cancellationToken);
        return answer.IsOk ? TypedResults.Text(answer.Value, "application/json") : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<ServerSentEventsResult<MaintenanceView>, NoContent, ProblemResult>> EventsAsync(
        string id,
        [FromHeader(Name = "Last-Event-ID")] string? lastEventId,
        Maintenances maintenances,
        HttpContext context,
        CancellationToken cancellationToken)
    {
        if (await maintenances.FindAsync(id, cancellationToken) is not { } view)
        {
            return new ProblemResult(Problems.NotFound("maintenance", id));
        }

        if (EventStream.IsKnown(view, view.IsOver, lastEventId))
        {
            return TypedResults.NoContent();
        }

        return EventStream.Of(context, "maintenance", lastEventId, stop => maintenances.WatchAsync(id, stop));
    }

    private static async Task<Results<Accepted<MaintenanceView>, ProblemResult>> CancelAsync(
        string id, Body<MaintenanceCancelRequest> body, HttpContext context, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await maintenances.CancelAsync(id, Caller.From(context), body.Value, cancellationToken);
        return answer.IsOk ? TypedResults.Accepted((string?)null, answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Accepted<MaintenanceView>, ProblemResult>> CompleteAsync(
        string id, Body<CompleteRequest> body, HttpContext context, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await maintenances.CompleteAsync(id, Caller.From(context), body.Value, cancellationToken);
        return answer.IsOk ? TypedResults.Accepted((string?)null, answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Accepted<MaintenanceView>, ProblemResult>> DecideAsync(
        string id, bool isApproved, Body<DecisionRequest> body, HttpContext context, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var by = Caller.From(context);
        var decision = new Maintenance.Approval(isApproved, by.Name, body.Value.Reason) { RequestedFrom = by.Address };
        var answer = await maintenances.DecideAsync(id, decision, cancellationToken);
        return answer.IsOk ? TypedResults.Accepted((string?)null, answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<PlanView>, ProblemResult>> PlanAsync(
        Body<MaintenanceCreate> body, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await maintenances.PlanAsync(body.Value, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<PlansView>, ProblemResult>> PlanTogetherAsync(
        Body<PlanCreate> body, Maintenances maintenances, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await maintenances.PlanTogetherAsync(body.Value, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }
}
