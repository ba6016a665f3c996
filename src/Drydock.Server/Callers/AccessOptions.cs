namespace Drydock.Server.Callers;

/// <summary>How callers show who they are.</summary>
public enum AccessMode
{
    /// <summary>Not at all: being on this machine is enough. Only loopback addresses can be listened on.</summary>
    None,

    /// <summary>By a bearer token of the cluster (TokenReview); the cluster decides what they may do (SubjectAccessReview).</summary>
    Kubernetes,

    /// <summary>By a token of an OpenID Connect provider; its groups are mapped to roles here.</summary>
    Oidc,
}

/// <summary>Who may call. Section <c>access</c> of the configuration.</summary>
public sealed record AccessOptions
{
    /// <summary>How callers show who they are.</summary>
    public AccessMode Mode { get; init; }

    /// <summary>Mode Kubernetes: audiences of which a token must have one. Empty: the API server's own.</summary>
    public IReadOnlyList<string> Audiences { get; init; } = [];

    /// <summary>Mode Oidc: the provider.</summary>
    public OidcOptions Oidc { get; init; } = new();

    /// <summary>How many requests one caller may send per second, on the average of a few seconds. The default is 50.</summary>
    public int RequestsPerSecond { get; init; } = 50;

    /// <summary>What is wrong with these options, one sentence each.</summary>
    internal IEnumerable<string> Validate()
    {
        if (!Enum.IsDefined(Mode))
        {
            yield return $"access.mode: '{Mode}' is not one of {string.Join(", ", Enum.GetNames<AccessMode>())}.";
        }

        if (RequestsPerSecond is < 1 or > 100_000)
        {
            yield return $"access.requestsPerSecond: '{RequestsPerSecond}' is not allowed; 1 to 100000.";
        }

        if (Mode != AccessMode.Oidc)
        {
            yield break;
        }

        if (!Uri.TryCreate(Oidc.Authority, UriKind.Absolute, out var authority)
            || (authority.Scheme != Uri.UriSchemeHttps && !(authority.Scheme == Uri.UriSchemeHttp && authority.IsLoopback)))
        {
            yield return $"access.oidc.authority: '{Oidc.Authority}' is not the https address of an OpenID Connect provider.";
        }

        if (Oidc.Audience.Length == 0)
        {
            yield return "access.oidc.audience: is missing; name the client id that tokens are issued for.";
        }

        if (Oidc.Viewers.Count + Oidc.Operators.Count + Oidc.Admins.Count == 0)
        {
            yield return "access.oidc: map at least one group to viewers, operators or admins; without one nobody may do anything.";
        }
    }
}

/// <summary>An OpenID Connect provider and what its groups may do here.</summary>
public sealed record OidcOptions
{
    /// <summary>Its address; <c>/.well-known/openid-configuration</c> must be below it.</summary>
    public string Authority { get; init; } = "";

    /// <summary>The audience a token must have.</summary>
    public string Audience { get; init; } = "";

    /// <summary>The claim with the name of the user. The default is <c>preferred_username</c>, and <c>sub</c> if a token has none.</summary>
    public string UserClaim { get; init; } = "preferred_username";

    /// <summary>The claim with the groups. The default is <c>groups</c>.</summary>
    public string GroupsClaim { get; init; } = "groups";

    /// <summary>Groups that may look.</summary>
    public IReadOnlyList<string> Viewers { get; init; } = [];

    /// <summary>Groups that may start and steer maintenances.</summary>
    public IReadOnlyList<string> Operators { get; init; } = [];

    /// <summary>Groups that may do everything.</summary>
    public IReadOnlyList<string> Admins { get; init; } = [];
}
