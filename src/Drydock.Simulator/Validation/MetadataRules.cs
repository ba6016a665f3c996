using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Validation;

/// <summary>Names, labels and the fields of metadata that never change.</summary>
internal static partial class MetadataRules
{
    private const string LabelComplaint =
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
        + "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

    private const string SubdomainComplaint =
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
        + "alphanumeric character (e.g. 'example.com', regex used for validation is "
        + @"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

    public static List<FieldError> Create(ResourceType type, JsonObject created)
    {
        var errors = new List<FieldError>();
        var name = created.NameOf();
        if (name.Length == 0 && created.Text("metadata", "generateName") is null or "")
        {
            errors.Add(FieldError.Required("metadata.name", "name or generateName is required"));
        }
        else if (name.Length > 0 && !IsRbac(type) && (!Subdomain().IsMatch(name) || name.Length > 253))
        {
            errors.Add(FieldError.Invalid("metadata.name", $"\"{name}\"", SubdomainComplaint));
        }

        CheckLabels(created, errors);

        return errors;
    }

    public static List<FieldError> Update(JsonObject after, JsonObject before)
    {
        var errors = new List<FieldError>();
        foreach (var field in (string[])["uid", "creationTimestamp"])
        {
            if (after.Text("metadata", field) is { Length: > 0 } value && value != before.Text("metadata", field))
            {
                // The API server says it twice: once for metadata, once for the type.
                var error = FieldError.Invalid($"metadata.{field}", $"\"{value}\"", "field is immutable");
                errors.AddRange([error, error]);
            }
        }

        // The generic check of metadata, the one of its update, and both again by the type: four times the same cause, as recorded.
        for (var i = 0; i < 4; i++)
        {
            CheckLabels(after, errors);
        }

        CheckFinalizers(after, before, errors);

        return errors;
    }

    private static bool IsRbac(ResourceType type) => type.Group == "rbac.authorization.k8s.io";

    private static void CheckLabels(JsonObject @object, List<FieldError> errors)
    {
        if (@object.At("metadata", "labels") is not JsonObject labels)
        {
            return;
        }

        foreach (var (_, value) in labels)
        {
            var text = value?.ToString() ?? "";
            if (!Label().IsMatch(text))
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{text}\"", LabelComplaint));
            }
            else if (text.Length > 63)
            {
                errors.Add(FieldError.Invalid("metadata.labels", $"\"{text}\"", "must be no more than 63 bytes"));
            }
        }
    }

    private static void CheckFinalizers(JsonObject after, JsonObject before, List<FieldError> errors)
    {
        if (before.Text("metadata", "deletionTimestamp") is null)
        {
            return;
        }

        var (now, old) = (Finalizers(after), Finalizers(before));
        var added = now.Except(old).ToList();
        if (added.Count > 0)
        {
            errors.Add(FieldError.Forbidden("metadata.finalizers",
                $"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{string.Join(", ", added.Select(f => $"\"{f}\""))}}}"));
        }
    }

    private static List<string> Finalizers(JsonObject @object) =>
        @object.At("metadata", "finalizers") is JsonArray array ? [.. array.Select(f => (string?)f ?? "")] : [];

    [GeneratedRegex(@"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Label();

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Subdomain();
}
