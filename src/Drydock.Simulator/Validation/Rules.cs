using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
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

    /// <summary>Fields the type does not have and fields given twice: refused, warned of or ignored. A wrong type is always refused.</summary>
    /// <param name="served">The type.</param>
    /// <param name="given">The object; what is unknown is removed from it.</param>
    /// <param name="duplicates">The fields that were given twice.</param>
    /// <param name="mode">Strict, Warn or Ignore; empty for Warn.</param>
    /// <returns>The warnings.</returns>
    public IReadOnlyList<string> CheckFields(ServedType served, JsonObject given, IReadOnlyList<string> duplicates, string mode)
    {
        var (complaints, wrongType) = Complaints(served, given, duplicates);
        var prefix = $"{served.Type.Kind} in version \"{served.ApiVersion.Split('/')[^1]}\" cannot be handled as a {served.Type.Kind}: ";
        if (wrongType is not null)
        {
            throw Refusals.BadRequest(prefix + wrongType);
        }

        if (mode == "Strict" && complaints.Count > 0)
        {
            throw Refusals.BadRequest($"{prefix}strict decoding error: {string.Join(", ", complaints)}");
        }

        return mode == "Ignore" ? [] : complaints;
    }

    /// <summary>As <see cref="CheckFields"/>, for what a patch made of an object.</summary>
    public IReadOnlyList<string> CheckPatch(ServedType served, Patch patch, JsonObject patched, string mode)
    {
        // What the patch made of the object is quoted as it was before anything is removed.
        var quoted = $"\"{patch.Quote(patched).Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
        var (complaints, wrongType) = Complaints(served, patched, []);
        if (wrongType is not null)
        {
            var isStrategic = patch is StrategicMergePatch && wrongType.Contains(" of type ", StringComparison.Ordinal);
            var why = isStrategic ? $"unrecognized type: {wrongType.Split(" of type ")[^1]}" : wrongType;

            throw Refusals.Invalid("", "", "", [FieldError.Invalid("patch", quoted, why)]);
        }

        if (mode == "Strict" && complaints.Count > 0)
        {
            throw Refusals.Invalid("", "", "", [FieldError.Invalid("patch", quoted, $"strict decoding error: {string.Join(", ", complaints)}")]);
        }

        return mode == "Ignore" ? [] : complaints;
    }

    private (List<string> Complaints, string? WrongType) Complaints(ServedType served, JsonObject given, IReadOnlyList<string> duplicates)
    {
        var (unknown, wrongType) = served.Type.IsCustom
            ? (Schema(served.Type)?.Prune(given) ?? [], null)
            : BuiltInTypes.Prune(served.Type.ApiVersion, given);

        return ([.. duplicates.Select(field => $"duplicate field \"{field}\""), .. unknown.Select(field => $"unknown field \"{field}\"")], wrongType);
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
