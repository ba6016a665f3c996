using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server.Rest;

namespace Drydock.Server.Callers;

/// <summary>Lets a request through to its endpoint only if its caller is known and has the permission; writes the audit line.</summary>
internal sealed class AccessGate(ICallers callers, TimeProvider clock, ILogger<AccessGate> logger)
{
    private static readonly TimeSpan RecheckEvery = TimeSpan.FromMinutes(1);

    public async Task InvokeAsync(HttpContext context, RequestDelegate next)
    {
        var endpoint = context.GetEndpoint();
        var access = endpoint?.Metadata.GetMetadata<EndpointAccess>();
        if (access is { IsAnonymous: true })
        {
            await next(context);
            return;
        }

        var user = await callers.IdentifyAsync(context, context.RequestAborted);
        if (user is null)
        {
            await RefuseAsync(context, access?.Permission, Refusals.NotKnown());
            return;
        }

        context.Features.Set(user);
        if (endpoint is RouteEndpoint && access is null)
        {
            // Fail closed: a new endpoint that forgot to say what it needs is for nobody.
            await RefuseAsync(context, null, Refusals.Undeclared());
            return;
        }

        if (access?.Permission is { } permission && !await callers.MayAsync(user, permission, context.RequestAborted))
        {
            await RefuseAsync(context, permission, Refusals.NotAllowed(user, permission));
            return;
        }

        try
        {
            await next(context);
        }
        catch (Exception failure)
        {
            // What was changed before that is changed all the same.
            Audit.Write(logger, context, access?.Permission, failure is OperationCanceledException && context.RequestAborted.IsCancellationRequested ? StatusCodes.Status499ClientClosedRequest : Faults.StatusOf(failure));
            throw;
        }

        Audit.Write(logger, context, access?.Permission);
    }

    /// <summary>The problem if the caller of this request lacks one of these permissions besides; null if he has them.</summary>
    public async Task<Problem?> CheckAsync(HttpContext context, IEnumerable<Permission> permissions)
    {
        var user = Caller.IdentityOf(context);
        foreach (var permission in permissions)
        {
            if (!await callers.MayAsync(user, permission, context.RequestAborted))
            {
                Audit.SetMissing(context, permission);
                return Refusals.NotAllowed(user, permission);
            }
        }

        return null;
    }

    /// <summary>Returns when the caller of a long request may not have it any more: his token ended or his permission was taken away.</summary>
    public async Task WhenRevokedAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var permission = context.GetEndpoint()?.Metadata.GetMetadata<EndpointAccess>()?.Permission;
        while (true)
        {
            await Task.Delay(RecheckEvery, clock, cancellationToken);
            try
            {
                var user = await callers.IdentifyAsync(context, cancellationToken);
                if (user is null || (permission is not null && !await callers.MayAsync(user, permission, cancellationToken)))
                {
                    return;
                }
            }
            catch (ClusterException)
            {
                // An API server that is away says nothing about the caller: what it said last holds until it is back.
            }
        }
    }

    private async Task RefuseAsync(HttpContext context, Permission? permission, Problem problem)
    {
        if (problem.Status == 401)
        {
            context.Response.Headers.WWWAuthenticate = "Bearer realm=\"drydock\"";
        }

        var page = problem.Status == 401 ? DocumentLogin.PageFor(context) : null;
        await (page ?? new ProblemResult(problem)).ExecuteAsync(context);
        Audit.Write(logger, context, permission);
    }
}

/// <summary>The ways a request ends at the gate.</summary>
internal static class Refusals
{
    public static Problem NotKnown() => new(
        ProblemTypes.Unauthenticated, "Who are you?", 401,
        "The request has no bearer token, or one that is not accepted (unknown, expired, or for another audience). Send 'Authorization: Bearer TOKEN'.");

    public static Problem NotAllowed(UserIdentity user, Permission permission) => new(
        ProblemTypes.Forbidden, "Not allowed", 403,
        permission.Rule.Group == "batch"
            ? $"{user.Name} may not {permission.Verb} {permission.Resource}{(permission.Rule.Namespace is { } place ? $" in namespace {place}" : "")}, so no request of his may bring one there. "
                + "Name a job of a policy instead, or ask for a Role that grants it."
            : $"{user.Name} may not {permission.Verb} {permission.Resource}. Ask for a role that grants it; the ClusterRole drydock-{permission.Role.ToString().ToLowerInvariant()} does.")
    {
        Verb = permission.Verb,
        Resource = permission.Resource,
    };

    public static Problem Undeclared() => new(
        ProblemTypes.Forbidden, "Not allowed", 403, "This endpoint does not say what it needs, so nobody may use it; that is a fault of this version.");
}
