using Drydock.Api;
using Drydock.Kubernetes;

namespace Drydock.Server.Callers;

/// <summary>Everybody on this machine, who may do everything; he is called what he calls himself. Loopback only.</summary>
internal sealed class OpenCallers : ICallers
{
    private const int Longest = 200;

    public Task<UserIdentity?> IdentifyAsync(HttpContext context, CancellationToken cancellationToken)
    {
        var said = context.Request.Headers[DrydockApiClient.UserHeader].ToString();
        var name = said.Length is > 0 and <= Longest && !said.Any(char.IsControl) ? said : $"rest:{context.Connection.RemoteIpAddress}";
        return Task.FromResult<UserIdentity?>(new UserIdentity(name, null, []));
    }

    public Task<bool> MayAsync(UserIdentity user, Permission permission, CancellationToken cancellationToken) => Task.FromResult(true);
}
