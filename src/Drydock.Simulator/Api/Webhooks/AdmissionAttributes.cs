using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api.Webhooks;

/// <summary>One write as admission sees it, after defaults and validation and before it is stored.</summary>
/// <param name="Operation">CREATE, UPDATE or DELETE.</param>
/// <param name="Kind">Kind of the object in the request: that of an Eviction for <c>pods/eviction</c>.</param>
/// <param name="KindApiVersion">Its <c>apiVersion</c>.</param>
/// <param name="Served">The type and version the path names.</param>
/// <param name="Subresource">Such as <c>status</c> or <c>eviction</c>; empty if the object itself is written.</param>
/// <param name="Namespace">The namespace, null for types of the whole cluster.</param>
/// <param name="Name">The name, empty while it is to be generated.</param>
/// <param name="Object">What is to be stored, null for a deletion.</param>
/// <param name="Before">What is stored, null for a creation.</param>
/// <param name="User">Who asks.</param>
/// <param name="DryRun">Whether nothing will be stored.</param>
internal sealed record AdmissionAttributes(
    string Operation, string Kind, string KindApiVersion, ServedType Served, string Subresource, string? Namespace, string Name,
    JsonObject? Object, JsonObject? Before, Caller User, bool DryRun)
{
    private static readonly ServedType _pods = new(ResourceTypes.Pods, ResourceTypes.Pods.ApiVersion);

    /// <summary>A write of an object of a stored type.</summary>
    public static AdmissionAttributes Of(
        string operation, ServedType served, string? subresource, JsonObject? @object, JsonObject? before, Caller user, bool dryRun)
    {
        var either = (@object ?? before)!;
        if (subresource == "scale")
        {
            return new(operation, "Scale", "autoscaling/v1", served, subresource, either.NamespaceOf(), either.NameOf(),
                Subresources.ScaleOf(@object!), Subresources.ScaleOf(before!), user, dryRun);
        }

        return new(operation, served.Type.Kind, served.ApiVersion, served, subresource ?? "", either.NamespaceOf(), either.NameOf(),
            @object, before, user, dryRun);
    }

    /// <summary>An Eviction or a Binding of a pod.</summary>
    public static AdmissionAttributes OfPod(
        string kind, string apiVersion, ResourceRequest path, JsonObject @object, Caller user, bool dryRun) =>
        new("CREATE", kind, apiVersion, _pods, path.Subresource!, path.Namespace, path.Name!, @object, null, user, dryRun);
}
