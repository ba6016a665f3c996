using System.Security.Claims;
using Drydock.Kubernetes;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;

namespace Drydock.Server.Callers;

/// <summary>Callers with a token of an OpenID Connect provider; the groups in it give them one of the three roles.</summary>
internal sealed class OidcCallers(LiveOptions options, TimeProvider clock) : ICallers
{
    public async Task<UserIdentity?> IdentifyAsync(HttpContext context, CancellationToken cancellationToken)
    {
        if (BearerToken.Of(context.Request) is null)
        {
            return null;
        }

        var result = await context.AuthenticateAsync(JwtBearerDefaults.AuthenticationScheme);
        if (result.Principal is not { } principal || !result.Succeeded)
        {
            return null;
        }

        // A request is authenticated once; in one that lasts, the token may end meanwhile.
        if (result.Properties.ExpiresUtc <= clock.GetUtcNow())
        {
            return null;
        }

        var oidc = options.Access.Oidc;
        return (principal.FindFirstValue(oidc.UserClaim) ?? principal.FindFirstValue("sub")) is { Length: > 0 } name
            ? new UserIdentity(name, principal.FindFirstValue("sub"), [.. principal.FindAll(oidc.GroupsClaim).Select(static claim => claim.Value)])
            : null;
    }

    public Task<bool> MayAsync(UserIdentity user, Permission permission, CancellationToken cancellationToken) =>
        Task.FromResult(RoleOf(user) is { } role && role >= permission.Role);

    private Role? RoleOf(UserIdentity user)
    {
        var oidc = options.Access.Oidc;
        return In(oidc.Admins) ? Role.Admin : In(oidc.Operators) ? Role.Operator : In(oidc.Viewers) ? Role.Viewer : null;

        bool In(IReadOnlyList<string> groups) => user.Groups.Any(group => groups.Contains(group, StringComparer.Ordinal));
    }
}
