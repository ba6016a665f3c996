using System.Text.Json.Nodes;
using Drydock.Simulator.Patches;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>What the API server checks of an object, type by type.</summary>
internal sealed class Rules(IObjectStore store)
{
    public void CheckCreate(ResourceType type, JsonObject created, bool newEventApi)
    {
        var errors = MetadataRules.Create(type, created);
        errors.AddRange(type.Equals(ResourceTypes.Events) ? EventRules.Create(created, newEventApi) : Own(type, created, null));
        Throw(type, created, errors);
    }

    public void CheckUpdate(ResourceType type, JsonObject after, JsonObject before, string? subresource)
    {
        var errors = MetadataRules.Update(after, before);
        errors.AddRange(Own(type, after, subresource == "status" && !type.IsCustom ? null : before));
        Throw(type, after, errors);
    }

    /// <summary>Fields the type does not have: refused, warned of or ignored. Known for custom types only.</summary>
    public IReadOnlyList<string> CheckFields(ResourceType type, JsonObject given, string mode)
    {
        if (!type.IsCustom || Schema(type) is not { } schema)
        {
            return [];
        }

        var unknown = schema.Prune(given);
        if (mode == "Strict" && unknown.Count > 0)
        {
            throw Refusals.BadRequest($"{type.Kind} in version \"{type.Version}\" cannot be handled as a {type.Kind}: strict decoding error: "
                + string.Join(", ", unknown.Select(u => $"unknown field \"{u}\"")));
        }

        return mode == "Ignore" ? [] : [.. unknown.Select(u => $"unknown field \"{u}\"")];
    }

    /// <summary>As <see cref="CheckFields"/>, for what a patch made of an object.</summary>
    public IReadOnlyList<string> CheckPatch(ResourceType type, Patch patch, JsonObject patched, string mode)
    {
        if (!type.IsCustom || Schema(type) is not { } schema)
        {
            NodeRules.CheckTypes(type, patch, patched);

            return [];
        }

        var unknown = schema.Prune(patched);
        if (mode == "Strict" && unknown.Count > 0)
        {
            throw Refusals.Invalid("", "", "", [FieldError.Invalid("patch", $"\"{patch.Quote(patched)}\"",
                "strict decoding error: " + string.Join(", ", unknown.Select(u => $"unknown field \"{u}\"")))]);
        }

        return mode == "Ignore" ? [] : [.. unknown.Select(u => $"unknown field \"{u}\"")];
    }

    private IEnumerable<FieldError> Own(ResourceType type, JsonObject after, JsonObject? before)
    {
        if (type.IsCustom)
        {
            return Schema(type)?.Check(after, before) ?? [];
        }

        return type.GroupResource switch
        {
            "nodes" => NodeRules.Check(after),
            "pods" => before is null ? PodRules.Create(after) : PodRules.Update(after, before),
            "customresourcedefinitions.apiextensions.k8s.io" => DefinitionRules.Check(after),
            "leases.coordination.k8s.io" => LeaseRules.Check(after),
            "poddisruptionbudgets.policy" => BudgetRules.Check(after),
            "validatingwebhookconfigurations.admissionregistration.k8s.io" => WebhookRules.Check(after),
            "mutatingwebhookconfigurations.admissionregistration.k8s.io" => WebhookRules.Mutating(after),
            _ => [],
        };
    }

    private Schema? Schema(ResourceType type) =>
        store.Get(ResourceTypes.CustomResourceDefinitions, null, type.GroupResource) is { } definition
            ? Validation.Schema.Of(definition)
            : null;

    private static void Throw(ResourceType type, JsonObject @object, List<FieldError> errors)
    {
        if (errors.Count > 0)
        {
            throw Refusals.Invalid(type, @object.NameOf(), errors);
        }
    }
}
