using System.Text.Json.Nodes;
using Drydock.Simulator.Api.Webhooks;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>The small subresources: binding, scale, finalize, and logs that are always empty.</summary>
internal sealed class Subresources(IObjectStore store, Writes writes)
{
    public static ApiAnswer Success(ApiRequest request, int code) =>
        Rendering.Node(Accept.Of(request.Accept) with { Form = Form.Object }, new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["code"] = code,
        }, code);

    public async Task<ApiAnswer> BindAsync(ApiRequest request, ResourceRequest path, CancellationToken cancellationToken)
    {
        var (pods, name) = (ResourceTypes.Pods, path.Name!);
        var binding = Bodies.Required(request, "Binding");
        var node = binding.Text("target", "name");
        if (node is null or "")
        {
            throw new ApiException(500, null, "target.name: Required value");
        }

        writes.CheckNamespace(pods, path.Namespace, name);
        var warnings = await writes.ReviewAsync(
            AdmissionAttributes.OfPod("Binding", "v1", path, binding, request.Caller, request.DryRun), cancellationToken);
        var bound = store.Update(pods, path.Namespace, name, pod =>
        {
            if (pod.Text("spec", "nodeName") is { Length: > 0 } present)
            {
                throw Refusals.Conflict(pods with { Plural = "pods/binding" }, name, $"pod {name} is already assigned to node \"{present}\"");
            }

            if (pod.At("metadata", "deletionTimestamp") is not null)
            {
                throw Refusals.Conflict(pods with { Plural = "pods/binding" }, name, $"pod {name} is being deleted, cannot be assigned to a host");
            }

            Place(pod, node);

            return !request.DryRun;
        });

        return bound is null ? throw Refusals.NotFound(pods, name) : Writes.Warn(Success(request, 201), warnings);
    }

    public async Task<ApiAnswer> ScaleAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var (type, name) = (served.Type, path.Name!);
        var @object = store.Get(type, path.Namespace, name) ?? throw Refusals.NotFound(type, name);
        if (path.Verb is "get")
        {
            return Shown(request, @object);
        }

        var asked = path.Verb is "patch"
            ? Patches.Patch.Read(request, type).Apply(ScaleOf(@object), null)
            : Bodies.Required(request, "Scale");
        if (asked.VersionOf() is { Length: > 0 } version && version != @object.VersionOf())
        {
            throw Refusals.Modified(type, name);
        }

        var (scaled, warnings) = await writes.ChangeAsync(request, path, served, before =>
        {
            var after = before.Copy();
            after.Child("spec")["replicas"] = asked.Number("spec", "replicas") ?? 0;

            return after;
        }, cancellationToken);

        return Writes.Warn(Shown(request, scaled), warnings);
    }

    /// <summary>PUT of a namespace without its finalizer: the last step of its end.</summary>
    public ApiAnswer Finalize(ApiRequest request, ResourceRequest path, Rendering rendering, ServedType served)
    {
        var given = Bodies.Required(request, "Namespace");
        var after = store.Update(ResourceTypes.Namespaces, null, path.Name!, ns =>
        {
            ns.Child("spec")["finalizers"] = given.At("spec", "finalizers")?.DeepClone() ?? new JsonArray();

            return true;
        }) ?? throw Refusals.NotFound(ResourceTypes.Namespaces, path.Name!);

        return rendering.Object(request, served, after, 200);
    }

    private void Place(JsonObject pod, string node)
    {
        pod.Child("spec")["nodeName"] = node;
        BuiltInAdmission.CopyTopology(store, pod);
        var conditions = pod.Child("status")["conditions"] as JsonArray ?? [];
        pod.Child("status")["conditions"] = conditions;
        foreach (var old in conditions.OfType<JsonObject>().Where(c => c.Text("type") == "PodScheduled").ToList())
        {
            conditions.Remove(old);
        }

        conditions.Add(new JsonObject
        {
            ["type"] = "PodScheduled",
            ["status"] = "True",
            ["lastProbeTime"] = null,
            ["lastTransitionTime"] = writes.Now.Timestamp(),
        });
    }

    private static ApiAnswer Shown(ApiRequest request, JsonObject @object) =>
        Rendering.Node(Accept.Of(request.Accept) with { Form = Form.Object }, ScaleOf(@object), 200);

    /// <summary>The Scale of an object that has one.</summary>
    internal static JsonObject ScaleOf(JsonObject @object)
    {
        var metadata = new JsonObject();
        foreach (var field in (string[])["name", "namespace", "uid", "resourceVersion", "creationTimestamp"])
        {
            if (@object.At("metadata", field) is { } value)
            {
                metadata[field] = value.DeepClone();
            }
        }

        var labels = @object.At("spec", "selector", "matchLabels") as JsonObject ?? [];

        return new JsonObject
        {
            ["kind"] = "Scale",
            ["apiVersion"] = "autoscaling/v1",
            ["metadata"] = metadata,
            ["spec"] = new JsonObject { ["replicas"] = @object.Number("spec", "replicas") ?? 0 },
            ["status"] = new JsonObject
            {
                ["replicas"] = @object.Number("status", "replicas") ?? 0,
                ["selector"] = string.Join(',', labels.Select(l => $"{l.Key}={l.Value}")),
            },
        };
    }
}
