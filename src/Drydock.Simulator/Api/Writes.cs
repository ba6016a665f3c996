using System.Text.Json.Nodes;
using Drydock.Simulator.Api.Webhooks;
using Drydock.Simulator.Store;
using Drydock.Simulator.Validation;

namespace Drydock.Simulator.Api;

/// <summary>Create, update, patch and delete of objects and of their status.</summary>
internal sealed class Writes(
    IObjectStore store, IReadOnlyList<IObjectAdmission> admissions, ValidatingWebhooks webhooks, Rendering rendering, Rules rules, TimeProvider time)
{
    private const int MaxTries = 20;

    public DateTimeOffset Now => time.GetUtcNow();

    public async Task<ApiAnswer> CreateAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var type = served.Type;
        var given = served.Take(Typed(served, Bodies.Required(request, type.Kind), request["fieldValidation"]));
        CheckValidationMode(request, "CreateOptions");
        var warnings = rules.CheckFields(served, given, Bodies.Duplicates(request), request["fieldValidation"]);
        SetNamespace(type, given, path);
        CheckNamespace(type, path.Namespace, given.NameOf());

        return await CreatedAsync(request, served, given, warnings, cancellationToken);
    }

    public async Task<ApiAnswer> UpdateAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var (type, name) = (served.Type, path.Name!);
        var given = served.Take(Typed(served, Bodies.Required(request, type.Kind)));
        CheckName(given, name);
        SetNamespace(type, given, path);
        var warnings = rules.CheckFields(served, given, Bodies.Duplicates(request), request["fieldValidation"]);
        if (store.Get(type, path.Namespace, name) is null)
        {
            // Leases, events and a few more may be created by PUT.
            if (path.Subresource is null && type.GroupResource is "leases.coordination.k8s.io" or "events" && given.VersionOf().Length == 0)
            {
                CheckNamespace(type, path.Namespace, name);

                return await CreatedAsync(request, served, given, warnings, cancellationToken);
            }

            throw Refusals.NotFound(type, name);
        }

        var (after, more) = await ChangeAsync(request, path, served, before =>
        {
            CheckIdentity(type, given, before);

            return Merge(path, type, before, given);
        }, cancellationToken);

        return Warn(rendering.Object(request, served, after, 200), [.. warnings, .. more]);
    }

    public async Task<ApiAnswer> PatchAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var (type, name) = (served.Type, path.Name!);
        var patch = Patches.Patch.Read(request, type);
        IReadOnlyList<string> warnings = [];
        if (patch.MayCreate && path.Subresource is null && store.Get(type, path.Namespace, name) is null)
        {
            CheckNamespace(type, path.Namespace, name);
            var given = Typed(served, patch.Apply(new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } }, null));
            SetNamespace(type, given, path);

            return await CreatedAsync(request, served, given, [], cancellationToken);
        }

        var (after, more) = await ChangeAsync(request, path, served, before =>
        {
            var patched = Typed(served, patch.Apply(served.Show(before).Copy(), path.Subresource));
            if (!JsonNode.DeepEquals(patched.At("metadata", "name"), before.At("metadata", "name")))
            {
                CheckName(patched, name);
            }

            warnings = rules.CheckPatch(served, patch, patched, request["fieldValidation"]);
            if (patched.VersionOf() is { Length: > 0 } version && version != before.VersionOf())
            {
                throw Refusals.Modified(type, name);
            }

            return Merge(path, type, before, served.Take(patched));
        }, cancellationToken);

        return Warn(rendering.Object(request, served, after, 200), [.. warnings, .. more]);
    }

    public async Task<ApiAnswer> DeleteAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var (type, name) = (served.Type, path.Name!);
        var (deletion, dryRun) = DeleteOptions.Read(request);
        var before = store.Get(type, path.Namespace, name) ?? throw Refusals.NotFound(type, name);
        var warnings = await webhooks.ReviewAsync(
            AdmissionAttributes.Of("DELETE", served, null, null, before, request.Caller, dryRun), cancellationToken);
        var deleted = store.Delete(type, path.Namespace, name, deletion, dryRun) ?? throw Refusals.NotFound(type, name);

        // What is gone at once is answered with a Status; pods and whatever stays with the object.
        var stays = type.Equals(ResourceTypes.Pods) || !ReferenceEquals(deleted, before) || before.At("metadata", "deletionTimestamp") is not null;
        var answer = stays
            ? rendering.Object(request, served, deleted, 200)
            : Rendering.Node(Accept.Of(request.Accept) with { Form = Form.Object }, Success(type, name, before.UidOf()), 200);

        return type.Equals(ResourceTypes.Jobs) && deletion.PropagationPolicy is null
            ? Warn(answer, [.. warnings, "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"])
            : Warn(answer, warnings);
    }

    public async Task<ApiAnswer> DeleteCollectionAsync(
        ApiRequest request, ResourceRequest path, ServedType served, CancellationToken cancellationToken)
    {
        var (deletion, dryRun) = DeleteOptions.Read(request);
        var selectors = Selectors.Parse(served.Type, path, request["labelSelector"], request["fieldSelector"]);
        var (all, version) = store.Snapshot(served.Type, path.Namespace);
        var selected = all.Where(selectors.Matches).ToList();
        foreach (var item in selected)
        {
            await webhooks.ReviewAsync(AdmissionAttributes.Of("DELETE", served, null, null, item.Tree, request.Caller, dryRun), cancellationToken);
            store.Delete(served.Type, item.Namespace, item.Name, deletion, dryRun);
        }

        var metadata = new JsonObject { ["resourceVersion"] = version.ToString() };
        if (served.Type.IsCustom)
        {
            metadata["continue"] = "";
        }

        return rendering.List(request, served, metadata, selected);
    }

    /// <summary>Reads, changes and puts back, again if somebody else was faster; refused by a rule it changes nothing.</summary>
    /// <returns>What is stored now, and what webhooks want the client to be told.</returns>
    public async Task<(JsonObject After, IReadOnlyList<string> Warnings)> ChangeAsync(
        ApiRequest request, ResourceRequest path, ServedType served, Func<JsonObject, JsonObject> change, CancellationToken cancellationToken)
    {
        var dryRun = request.DryRun;
        for (var attempt = 0; attempt < MaxTries; attempt++)
        {
            var before = store.Get(served.Type, path.Namespace, path.Name!) ?? throw Refusals.NotFound(served.Type, path.Name!);
            var after = change(before);
            ObjectDefaults.Complete(served.Type, after);
            Admit(served.Type, after, before, dryRun);
            rules.CheckUpdate(served.Type, after, before, path.Subresource);
            var warnings = await webhooks.ReviewAsync(
                AdmissionAttributes.Of("UPDATE", served, path.Subresource, after, before, request.Caller, dryRun), cancellationToken);
            if (store.Replace(served.Type, before, after, dryRun) is { } stored)
            {
                return (stored, warnings);
            }
        }

        throw Refusals.Modified(served.Type, path.Name!);
    }

    /// <summary>403 while the namespace ends, 404 if there is none.</summary>
    public void CheckNamespace(ResourceType type, string? @namespace, string name)
    {
        if (@namespace is null)
        {
            return;
        }

        var found = store.Get(ResourceTypes.Namespaces, null, @namespace) ?? throw Refusals.NotFound(ResourceTypes.Namespaces, @namespace);
        if (found.At("metadata", "deletionTimestamp") is not null)
        {
            var details = Refusals.Details(type, name);
            details["causes"] = new JsonArray(new JsonObject
            {
                ["reason"] = "NamespaceTerminating",
                ["message"] = $"namespace {@namespace} is being terminated",
                ["field"] = "metadata.namespace",
            });

            throw new ApiException(403, "Forbidden", $"{type.GroupResource} \"{name}\" is forbidden: unable to create new content in "
                + $"namespace {@namespace} because it is being terminated") { Details = details };
        }
    }

    /// <summary>The namespace of the body is that of the path.</summary>
    public static void SetNamespace(ResourceType type, JsonObject given, ResourceRequest path)
    {
        var metadata = given.Child("metadata");
        if (!type.Namespaced || path.Namespace is null)
        {
            metadata.Remove("namespace");

            return;
        }

        if (metadata.Text("namespace") is { Length: > 0 } own && own != path.Namespace)
        {
            throw Refusals.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        }

        metadata["namespace"] = path.Namespace;
    }

    /// <summary>Asks the webhooks about a write that goes another way than through here.</summary>
    public Task<IReadOnlyList<string>> ReviewAsync(AdmissionAttributes write, CancellationToken cancellationToken) =>
        webhooks.ReviewAsync(write, cancellationToken);

    private async Task<ApiAnswer> CreatedAsync(
        ApiRequest request, ServedType served, JsonObject given, IReadOnlyList<string> warnings, CancellationToken cancellationToken)
    {
        var type = served.Type;
        ObjectDefaults.Complete(type, given);
        BuiltInAdmission.OnCreate(store, type, given);
        Admit(type, given, null, request.DryRun);
        rules.CheckCreate(type, given, served.IsNewEvent);
        var more = await webhooks.ReviewAsync(
            AdmissionAttributes.Of("CREATE", served, null, given, null, request.Caller, request.DryRun), cancellationToken);
        var created = store.Create(type, given, request.DryRun);

        return Warn(rendering.Object(request, served, created, 201), [.. warnings, .. more]);
    }

    private void Admit(ResourceType type, JsonObject @object, JsonObject? before, bool dryRun)
    {
        foreach (var admission in admissions.Where(a => a.Covers(type)))
        {
            admission.Review(type, @object, before, dryRun);
        }
    }

    /// <summary>Through <c>status</c> only the status changes, through the object itself everything but the status.</summary>
    private static JsonObject Merge(ResourceRequest path, ResourceType type, JsonObject before, JsonObject given)
    {
        if (!type.HasStatus)
        {
            return given;
        }

        if (path.Subresource != "status")
        {
            var whole = given.Copy();
            Set(whole, "status", before["status"]);

            return whole;
        }

        var after = before.Copy();
        Set(after, "status", given["status"]);
        if (!type.IsCustom && given["metadata"] is JsonObject metadata)
        {
            // Labels and annotations may travel with a status of built-in types; references and finalizers may not.
            var kept = after.Child("metadata");
            Set(kept, "labels", metadata["labels"]);
            Set(kept, "annotations", metadata["annotations"]);
        }

        return after;
    }

    private static void Set(JsonObject target, string field, JsonNode? value)
    {
        if (value is null)
        {
            target.Remove(field);
        }
        else
        {
            target[field] = value.CopyNode();
        }
    }

    private static JsonObject Typed(ServedType served, JsonObject given, string mode = "")
    {
        var (kind, apiVersion) = (given.Text("kind"), given.Text("apiVersion"));
        if (kind is { Length: > 0 } && kind != served.Type.Kind)
        {
            throw Refusals.BadRequest(served.Type.IsCustom
                ? $"{kind} in version \"{apiVersion}\" cannot be handled as a {served.Type.Kind}"
                : $"{kind} in version \"{VersionOnly(apiVersion)}\" cannot be handled as a {served.Type.Kind}: converting (v1.{kind}) to (core.{served.Type.Kind}): unknown conversion");
        }

        if (apiVersion is { Length: > 0 } && apiVersion != served.ApiVersion)
        {
            // A version that is not served has no schema: none of its fields is known, and the client is told so first.
            var unknown = served.Type.IsCustom && mode is "" or "Warn"
                ? given.Select(p => p.Key).Except(["apiVersion", "kind", "metadata"]).Select(field => $"unknown field \"{field}\"").ToList()
                : [];

            throw new ApiException(
                400, "BadRequest", $"the API version in the data ({apiVersion}) does not match the expected API version ({served.ApiVersion})") { Warnings = unknown };
        }

        given["apiVersion"] = served.ApiVersion;
        given["kind"] = served.Type.Kind;

        return given;
    }

    private static string VersionOnly(string? apiVersion) => apiVersion?.Split('/')[^1] ?? "";

    private static void CheckName(JsonObject given, string name)
    {
        if (given.NameOf() is var own && own != name)
        {
            throw own.Length == 0 && given.At("metadata", "name") is null
                ? Refusals.BadRequest("name must be provided")
                : Refusals.BadRequest($"the name of the object ({own}) does not match the name on the URL ({name})");
        }
    }

    private static void CheckIdentity(ResourceType type, JsonObject given, JsonObject before)
    {
        var name = before.NameOf();
        if (given.UidOf() is { Length: > 0 } uid && uid != before.UidOf())
        {
            throw Refusals.Conflict(type, name, $"StorageError: invalid object, Code: 4, Key: {Registry(type, before)}, ResourceVersion: 0, "
                + $"AdditionalErrorMsg: Precondition failed: UID in precondition: {uid}, UID in object meta: {before.UidOf()}");
        }

        var version = given.VersionOf();
        if (version.Length > 0 && version != "0" && version != before.VersionOf())
        {
            throw Refusals.Modified(type, name);
        }

        if (version is "" or "0" && !AllowsUnconditionalUpdate(type))
        {
            throw Refusals.Invalid(type with { Kind = type.Plural }, name,
                [FieldError.Invalid("metadata.resourceVersion", "0", "must be specified for an update")]);
        }
    }

    private static bool AllowsUnconditionalUpdate(ResourceType type) =>
        !type.IsCustom && type.GroupResource is not ("leases.coordination.k8s.io" or "poddisruptionbudgets.policy"
            or "customresourcedefinitions.apiextensions.k8s.io" or "priorityclasses.scheduling.k8s.io");

    private static string Registry(ResourceType type, JsonObject before)
    {
        var folder = type.GroupResource switch { "nodes" => "minions", _ when type.IsCustom => $"{type.Group}/{type.Plural}", _ => type.Plural };

        return before.NamespaceOf() is { } ns ? $"/registry/{folder}/{ns}/{before.NameOf()}" : $"/registry/{folder}/{before.NameOf()}";
    }

    private static void CheckValidationMode(ApiRequest request, string options)
    {
        if (request["fieldValidation"] is var mode && mode is not ("" or "Ignore" or "Strict" or "Warn"))
        {
            throw Refusals.Invalid("meta.k8s.io", options, "", [FieldError.Unsupported("fieldValidation", mode, "", "Ignore", "Strict", "Warn")]);
        }
    }

    public static ApiAnswer Warn(ApiAnswer answer, IReadOnlyList<string> warnings) =>
        warnings.Aggregate(answer, (a, w) => a.With("Warning", $"299 - \"{w.Replace("\\", "\\\\").Replace("\"", "\\\"")}\""));

    private static JsonObject Success(ResourceType type, string name, string uid)
    {
        var details = Refusals.Details(type, name);
        details["uid"] = uid;

        return new JsonObject
        {
            ["kind"] = "Status",
            ["apiVersion"] = "v1",
            ["metadata"] = new JsonObject(),
            ["status"] = "Success",
            ["details"] = details,
        };
    }
}
