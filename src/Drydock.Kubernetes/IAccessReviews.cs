namespace Drydock.Kubernetes;

/// <summary>Asks the API server who somebody is and what he may do: for a door that lets the cluster decide about its callers.</summary>
public interface IAccessReviews
{
    /// <summary>Who a bearer token stands for (TokenReview), or null if the API server does not accept it.</summary>
    /// <param name="token">The token; neither logged nor kept.</param>
    /// <param name="audiences">Audiences of which the token must have one; empty: that of the API server.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ClusterException">The API server could not be asked.</exception>
    Task<UserIdentity?> ReviewTokenAsync(string token, IReadOnlyList<string> audiences, CancellationToken cancellationToken);

    /// <summary>Whether somebody may make this call (SubjectAccessReview).</summary>
    /// <exception cref="ClusterException">The API server could not be asked.</exception>
    Task<bool> IsAllowedAsync(UserIdentity user, AccessRule rule, CancellationToken cancellationToken);

    /// <summary>Whether somebody may use a path that is no resource, such as <c>/metrics</c>.</summary>
    /// <exception cref="ClusterException">The API server could not be asked.</exception>
    Task<bool> IsAllowedPathAsync(UserIdentity user, string verb, string path, CancellationToken cancellationToken);
}

/// <summary>Somebody, as the API server knows him.</summary>
/// <param name="Name">Such as <c>system:serviceaccount:ops:robot</c>.</param>
/// <param name="Uid">Tells people apart who had the same name at different times; null if the authenticator has none.</param>
/// <param name="Groups">The groups.</param>
public sealed record UserIdentity(string Name, string? Uid, IReadOnlyList<string> Groups)
{
    /// <summary>What the authenticator knows besides, for authorizers that look at it.</summary>
    public IReadOnlyDictionary<string, IReadOnlyList<string>> Extra { get; init; } = new Dictionary<string, IReadOnlyList<string>>();
}
