using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Drydock.Api;
using Drydock.Maintenance;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Drydock.Server.Policies;

/// <summary>The policies of an admin, from one YAML or JSON file: <c>allowedUrls</c> and <c>policies</c>.</summary>
/// <param name="AllowedUrls">Prefixes of the addresses that webhooks and probes may call.</param>
/// <param name="Policies">The policies.</param>
internal sealed record PolicyFile(IReadOnlyList<Uri> AllowedUrls, IReadOnlyList<MaintenancePolicy> Policies)
{
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Converters = { new JsonStringEnumConverter(), new Durations(), new Manifests() },
    };

    /// <summary>No file: no policy, and nothing may be called.</summary>
    public static PolicyFile None { get; } = new([], []);

    /// <summary>Reads the file.</summary>
    /// <exception cref="DrydockOptionsException">It cannot be read, or says something impossible.</exception>
    public static PolicyFile Read(string path)
    {
        try
        {
            return Parse(File.ReadAllText(path), path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DrydockOptionsException([$"policies: '{path}' cannot be read: {exception.Message}"]);
        }
    }

    /// <summary>Reads the text of a file. YAML holds JSON, so one reader is enough.</summary>
    internal static PolicyFile Parse(string text, string path)
    {
        try
        {
            var yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object?>(text);
            var file = JsonSerializer.SerializeToNode(yaml).Deserialize<Document>(Json) ?? new Document();
            return new PolicyFile([.. file.AllowedUrls.Select(Prefix)], Named(file.Policies));
        }
        catch (Exception exception) when (exception is YamlException or JsonException or NotSupportedException or InvalidOperationException)
        {
            throw new DrydockOptionsException([$"policies: '{path}' is not right: {exception.Message}"]);
        }
    }

    /// <summary>Reads the spec of a MaintenancePolicy object: what stands in the file under a name.</summary>
    /// <exception cref="JsonException">It says something impossible.</exception>
    internal static MaintenancePolicy ReadPolicy(string name, JsonElement spec)
    {
        var policy = spec.ValueKind == JsonValueKind.Object ? JsonNode.Parse(spec.GetRawText())!.AsObject() : [];
        policy["name"] = name;
        try
        {
            return policy.Deserialize<MaintenancePolicy>(Json) ?? throw new JsonException("A policy is an object.");
        }
        catch (Exception exception) when (exception is NotSupportedException or InvalidOperationException)
        {
            throw new JsonException(exception.Message, exception);
        }
    }

    private static Uri Prefix(string text) =>
        HttpTargets.IsPrefix(text)
            ? new Uri(text)
            : throw new JsonException($"allowedUrls: '{text}' is not the beginning of an https address.");

    private static IReadOnlyList<MaintenancePolicy> Named(IReadOnlyList<MaintenancePolicy> policies) =>
        policies.FirstOrDefault(policy => string.IsNullOrWhiteSpace(policy.Name)) is not null ? throw new JsonException("A policy has no name.")
        : policies.CountBy(policy => policy.Name).FirstOrDefault(name => name.Value > 1) is { Key: { } twice } ? throw new JsonException($"Policy '{twice}' stands there twice.")
        : policies;

    private sealed record Document
    {
        public IReadOnlyList<string> AllowedUrls { get; init; } = [];

        public IReadOnlyList<MaintenancePolicy> Policies { get; init; } = [];
    }

    private sealed class Durations : JsonConverter<TimeSpan>
    {
        public override TimeSpan Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.String && DurationText.TryParse(reader.GetString(), out var duration)
                ? duration
                : throw new JsonException($"A duration is wanted: {DurationText.Allowed}.");

        public override void Write(Utf8JsonWriter writer, TimeSpan value, JsonSerializerOptions options) => writer.WriteStringValue(DurationText.Format(value));
    }

    // A manifest is written as an object, or as text; it is kept as text.
    private sealed class Manifests : JsonConverter<JobTemplate>
    {
        public override JobTemplate Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
        {
            var template = JsonNode.Parse(ref reader)?.AsObject() ?? throw new JsonException("A job is an object.");
            if (template.Select(static field => field.Key).FirstOrDefault(static name => name is not ("namespace" or "manifest" or "timeout")) is { } unknown)
            {
                throw new JsonException($"A job has namespace, manifest and timeout, no '{unknown}'.");
            }

            var manifest = template["manifest"] switch
            {
                JsonObject written => written.ToJsonString(),
                JsonValue text when text.TryGetValue<string>(out var json) => json,
                _ => throw new JsonException("A job needs a manifest."),
            };
            var job = new JobTemplate((string?)template["namespace"] ?? throw new JsonException("A job needs a namespace."), manifest);
            return template["timeout"] is { } timeout ? job with { Timeout = timeout.Deserialize<TimeSpan>(options) } : job;
        }

        public override void Write(Utf8JsonWriter writer, JobTemplate value, JsonSerializerOptions options) => throw new NotSupportedException();
    }
}
