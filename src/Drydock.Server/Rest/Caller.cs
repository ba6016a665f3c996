using Drydock.Kubernetes;

namespace Drydock.Server.Rest;

/// <summary>Who calls, as the gate found out.</summary>
internal static class Caller
{
    /// <summary>The name to write into the history.</summary>
    public static string Of(HttpContext context) => IdentityOf(context).Name;

    /// <summary>All that is known of him.</summary>
    public static UserIdentity IdentityOf(HttpContext context) =>
        context.Features.Get<UserIdentity>() ?? throw new InvalidOperationException("The request did not come through the gate.");

    /// <summary>Name and address.</summary>
    public static Requester From(HttpContext context) => new(Of(context), context.Connection.RemoteIpAddress?.ToString());
}
