namespace Drydock.Simulator.Scenarios;

/// <summary>Somebody with a bearer token, and what RBAC lets him do.</summary>
/// <param name="Name">The user, such as <c>ann</c> or <c>system:serviceaccount:drydock:drydock</c>.</param>
/// <param name="Token">His token.</param>
public sealed record UserSpec(string Name, string Token)
{
    /// <summary>His groups; <c>system:authenticated</c> is always one.</summary>
    public IReadOnlyList<string> Groups { get; init; } = [];

    /// <summary>What he may do; nothing else.</summary>
    public IReadOnlyList<PermissionSpec> May { get; init; } = [];
}

/// <summary>Some verbs on some resources.</summary>
/// <param name="Verbs">Such as <c>get</c>; <c>*</c>: all.</param>
/// <param name="Resources">Such as <c>pods/eviction</c> or <c>leases.coordination.k8s.io</c>; <c>*</c>: all of every group.</param>
/// <param name="Namespace">Where; null: everywhere.</param>
public sealed record PermissionSpec(IReadOnlyList<string> Verbs, IReadOnlyList<string> Resources, string? Namespace)
{
    private const string Form = "VERB,VERB RESOURCE,RESOURCE or VERB RESOURCE in NAMESPACE, such as get,list pods or create pods/eviction in shop";

    /// <summary>Reads one in the words of a scenario file, such as <c>get,list pods in shop</c>.</summary>
    internal static PermissionSpec Read(YamlFields fields, string text) => text.Split(' ', StringSplitOptions.RemoveEmptyEntries) switch
    {
        [var verbs, var resources] => new(verbs.Split(','), resources.Split(','), null),
        [var verbs, var resources, "in", var space] => new(verbs.Split(','), resources.Split(','), space),
        _ => throw fields.UnknownName("may", text, Form),
    };
}
