using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>A request to the eviction subresource, before it is carried out.</summary>
public sealed record EvictionReview(JsonObject Pod, bool DryRun);

/// <summary>Looks at an eviction before the disruption budgets do, as the admission webhooks of a cluster do. KubeVirt registers one.</summary>
public interface IEvictionAdmission
{
    /// <summary>Throws <see cref="ApiException"/> to refuse.</summary>
    void Review(EvictionReview review);
}

/// <summary>Validates and completes objects of a type on create and update, as built-in admission and webhooks do.</summary>
public interface IObjectAdmission
{
    /// <summary>Whether this admission looks at the type.</summary>
    bool Covers(ResourceType type);

    /// <summary>May mutate the object (defaults); throws <see cref="ApiException"/> to refuse.</summary>
    /// <param name="type">The type.</param>
    /// <param name="object">The object as it will be stored: a private copy.</param>
    /// <param name="before">The stored object, or null on create.</param>
    /// <param name="dryRun">Whether nothing will be stored.</param>
    void Review(ResourceType type, JsonObject @object, JsonObject? before, bool dryRun);
}

/// <summary>A call to a path that is not plain storage, such as <c>PUT …/subresources.kubevirt.io/v1/…/virtualmachines/NAME/stop</c>.</summary>
/// <param name="Verb">The HTTP method.</param>
/// <param name="Group">API group.</param>
/// <param name="Version">API version.</param>
/// <param name="Namespace">Namespace, or null.</param>
/// <param name="Plural">Resource.</param>
/// <param name="Name">Name of the object.</param>
/// <param name="Subresource">Rest of the path, such as <c>stop</c> or <c>evacuate/cancel</c>.</param>
/// <param name="Body">The JSON body, or null if empty.</param>
/// <param name="DryRun">Whether nothing may change.</param>
public sealed record SubresourceCall(
    string Verb, string Group, string Version, string? Namespace, string Plural, string Name, string Subresource, JsonObject? Body, bool DryRun)
{
    /// <summary>The kinds of answer the client takes.</summary>
    public string Accept { get; init; } = "*/*";
}

/// <summary>What a subresource answers.</summary>
/// <param name="Code">HTTP code.</param>
/// <param name="Body">JSON, or null for an empty body; a JSON string goes out as plain text.</param>
public sealed record SubresourceAnswer(int Code, JsonNode? Body = null);

/// <summary>Serves calls beyond plain storage, as an aggregated API server does.</summary>
public interface IAggregatedApi
{
    /// <summary>The API group served, such as <c>subresources.kubevirt.io</c>.</summary>
    string Group { get; }

    /// <summary>The versions served.</summary>
    IReadOnlyList<string> Versions { get; }

    /// <summary>Answers a call; throws <see cref="ApiException"/> to refuse.</summary>
    SubresourceAnswer Call(SubresourceCall call);
}
