namespace Drydock.Server.Callers;

/// <summary>What an endpoint asks of its caller. An endpoint without one of these answers nobody while authentication is on.</summary>
internal sealed record EndpointAccess
{
    /// <summary>Anybody, without a token: probes.</summary>
    public static readonly EndpointAccess Anonymous = new() { IsAnonymous = true };

    /// <summary>Anybody with a token that is accepted: the documents.</summary>
    public static readonly EndpointAccess AnyCaller = new();

    /// <summary>No token is asked for.</summary>
    public bool IsAnonymous { get; private init; }

    /// <summary>The right that is asked for, or null: a token is enough.</summary>
    public Permission? Permission { get; init; }
}

/// <summary>Says at an endpoint what it asks of its caller.</summary>
internal static class EndpointAccessExtensions
{
    /// <summary>The caller needs this permission.</summary>
    public static TBuilder Needs<TBuilder>(this TBuilder endpoint, Permission permission)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(new EndpointAccess { Permission = permission });

    /// <summary>The caller needs a token, whoever he is.</summary>
    public static TBuilder NeedsToken<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(EndpointAccess.AnyCaller);

    /// <summary>The caller needs nothing.</summary>
    public static TBuilder ForAnybody<TBuilder>(this TBuilder endpoint)
        where TBuilder : IEndpointConventionBuilder => endpoint.WithMetadata(EndpointAccess.Anonymous);
}
