using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>The resource <c>windows</c>.</summary>
internal static class WindowEndpoints
{
    public static void MapWindows(this IEndpointRouteBuilder api)
    {
        var windows = api.MapGroup("/windows").WithTags("Windows").WithVersions("name", static async (context, name, cancellationToken) =>
            await context.RequestServices.GetRequiredService<Windows>().FindAsync(name, cancellationToken));
        windows.MapPost("/", CreateAsync).Needs(Permissions.CreateWindow).WithName("CreateWindow").WithSummary("Set up a recurring maintenance window.");
        windows.MapGet("/", ListAsync).Needs(Permissions.ListWindows).WithName("ListWindows").WithSummary("One page of windows, by name.")
            .WithDescription("`limit` is 1 to 500, 50 unless said otherwise.");
        windows.MapGet("/{name}", GetAsync).Needs(Permissions.GetWindow).WithName("GetWindow").WithSummary("One window and when it opens next.");
        windows.MapDelete("/{name}", DeleteAsync).Needs(Permissions.DeleteWindow).WithName("DeleteWindow").WithSummary("Remove a window; a rollout under way takes no new node.")
            .WithDescription("Answered when the window knows. Nodes in hand are finished; if `onClose` is `Cancel`, or they would be held until somebody says otherwise, they are put back. `reason` says why.");
    }

    private static async Task<Results<Created<WindowView>, ProblemResult>> CreateAsync(
        Body<WindowCreate> body, HttpContext context, Windows windows, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        Audit.SetReason(context, body.Value.Rollout?.Reason);
        var answer = await windows.CreateAsync(body.Value, Caller.From(context), cancellationToken);
        return answer.IsOk
            ? TypedResults.Created($"/api/v1/windows/{answer.Value.Name}", answer.Value)
            : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<WindowList>, ProblemResult>> ListAsync(
        string? limit, string? after, Windows windows, CancellationToken cancellationToken)
    {
        var (page, next, problem) = Paging.Page(await windows.ListAsync(cancellationToken), static window => window.Name, limit, after, Paging.ByKey<WindowView>(static window => window.Name));
        return problem is null ? TypedResults.Ok(new WindowList(page, next)) : new ProblemResult(problem);
    }

    private static async Task<Results<Ok<WindowView>, ProblemResult>> GetAsync(
        string name, string? next, Windows windows, CancellationToken cancellationToken)
    {
        if (next is not null && !int.TryParse(next, out _))
        {
            return new ProblemResult(Problems.Invalid(new FieldError("next", next, "a whole number")));
        }

        var answer = await windows.NextAsync(name, next is null ? null : int.Parse(next), cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<NoContent, ProblemResult>> DeleteAsync(
        string name, string? reason, HttpContext context, Windows windows, CancellationToken cancellationToken)
    {
        Audit.SetReason(context, reason);
        return await windows.DeleteAsync(name, Caller.From(context), reason, cancellationToken) is { Problem: { } problem }
            ? new ProblemResult(problem)
            : TypedResults.NoContent();
    }
}
