using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.Maintenance;
using Drydock.Operator.Resources;
using Drydock.Server.Callers;
using Drydock.Server.Policies;
using Drydock.Server.Rest;

namespace Drydock.Server;

/// <summary>Reads the specs of MaintenanceRollout and MaintenanceWindow: the fields of REST, and <c>maxUnavailable</c> as Kubernetes has it.</summary>
internal sealed class ResourceRequests(RolloutRequests rollouts, WindowRequests windows) : IResourceRequests
{
    public async Task<SpecReading<RolloutRequest>> ReadRolloutAsync(JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken)
    {
        var rollout = Copy(spec)["rollout"] as JsonObject ?? [];
        var body = Read<RolloutCreate>(Plain(rollout));
        return (body.Problem ?? Forbidden(body.Value)) is { } malformed
            ? Wrong<RolloutRequest>("spec.rollout", malformed)
            : Said("spec.rollout", await rollouts.ReadAsync(body.Value, requestedBy, mustExist, cancellationToken));
    }

    public async Task<SpecReading<WindowRequest>> ReadWindowAsync(
        string name, JsonElement spec, string requestedBy, bool mustExist, CancellationToken cancellationToken)
    {
        var window = Copy(spec);
        window["name"] = name;
        if (window["rollout"] is JsonObject rollout)
        {
            Plain(rollout);
        }

        var body = Read<WindowCreate>(window);
        return body.Problem is { } malformed ? Wrong<WindowRequest>("spec", malformed)
            : Forbidden(body.Value) is { } forbidden ? Wrong<WindowRequest>("spec.rollout", forbidden)
            : Said("spec", await windows.ReadAsync(body.Value, requestedBy, mustExist, cancellationToken));
    }

    public string? PolicyProblem(string name, JsonElement spec)
    {
        try
        {
            PolicyFile.ReadPolicy(name, spec);
            return null;
        }
        catch (JsonException mistake)
        {
            return $"spec: {mistake.Message}";
        }
    }

    /// <summary>What needs a permission of its own needs somebody who has it: an object does not say who wrote it.</summary>
    private static Problem? Forbidden(object request) => SpecialPermissions.Of(request).Any()
        ? Problems.Invalid(new FieldError("maintenance", null, "no forced deletion and no action but None and Hold; start what needs more by REST"))
        : null;

    private static JsonObject Copy(JsonElement spec) =>
        spec.ValueKind == JsonValueKind.Object ? JsonNode.Parse(spec.GetRawText())!.AsObject() : [];

    /// <summary>A number or per cent, as in other Kubernetes objects, becomes one of the two fields of REST.</summary>
    private static JsonObject Plain(JsonObject rollout)
    {
        if (rollout["maxUnavailable"] is JsonValue value && value.TryGetValue<string>(out var text)
            && text.EndsWith('%') && int.TryParse(text[..^1], out var percent))
        {
            rollout.Remove("maxUnavailable");
            rollout["maxUnavailablePercent"] = percent;
        }

        return rollout;
    }

    private static Body<T> Read<T>(JsonObject json)
        where T : class => Body<T>.Read(JsonSerializer.SerializeToUtf8Bytes(json));

    private static SpecReading<T> Said<T>(string path, Answer<T> answer)
        where T : class => answer.IsOk ? new SpecReading<T>(answer.Value, null) : Wrong<T>(path, answer.Problem);

    private static SpecReading<T> Wrong<T>(string path, Problem problem)
        where T : class => new(null, problem.Errors.Count == 0
            ? problem.Detail ?? problem.Title
            : string.Join(' ', problem.Errors.Select(error =>
                $"{path}.{error.Field}: {(error.Value is null ? "" : $"'{error.Value}' is not allowed; ")}allowed: {error.Allowed}.")));
}
