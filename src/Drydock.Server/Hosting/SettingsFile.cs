using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Api;
using Drydock.Server.Callers;
using Drydock.Server.Rest;
using Drydock.Server.Telemetry;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Drydock.Server;

/// <summary>Reads the configuration: the file, and over it the environment (<c>DRYDOCK__ACCESS__MODE</c> is <c>access.mode</c>, <c>DRYDOCK__URLS__0</c> the first of <c>urls</c>).</summary>
public static class SettingsFile
{
    private const string Prefix = "DRYDOCK__";

    /// <summary>The options with what the file and the environment say.</summary>
    /// <param name="path">The file, or null for the environment alone.</param>
    /// <param name="environment">All variables of the environment.</param>
    /// <param name="defaults">What holds where neither says anything.</param>
    /// <exception cref="DrydockOptionsException">The file cannot be read, or says something wrong; the message lists everything.</exception>
    public static DrydockOptions Read(string? path, IReadOnlyDictionary<string, string> environment, DrydockOptions defaults)
    {
        var root = path is null ? [] : ReadYaml(path);
        foreach (var (name, value) in environment.Where(static each => each.Key.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase)).OrderBy(static each => each.Key, StringComparer.Ordinal))
        {
            Set(root, name[Prefix.Length..].Split("__"), value, typeof(Settings));
        }

        using var json = JsonDocument.Parse(root.ToJsonString());
        var errors = JsonShape.Check(json.RootElement, typeof(Settings)).ToList();
        if (errors.Count > 0)
        {
            throw new DrydockOptionsException([.. errors.Select(Sentence)]);
        }

        var reader = new FieldReader();
        var options = Apply(json.RootElement.Deserialize<Settings>(ApiJson.Strict)!, defaults, reader);
        string[] all = [.. reader.Errors.Select(Sentence), .. reader.Errors.Count > 0 ? [] : options.Validate()];
        return all.Length == 0 ? options : throw new DrydockOptionsException(all);
    }

    private static DrydockOptions Apply(Settings settings, DrydockOptions defaults, FieldReader reader)
    {
        var (access, oidc, oidcBefore) = (settings.Access, settings.Access?.Oidc, defaults.Access.Oidc);
        return defaults with
        {
            Hub = settings.Hub ?? defaults.Hub,
            Urls = settings.Urls ?? defaults.Urls,
            Operator = settings.Operator ?? defaults.Operator,
            LogLevel = reader.Choice("log.level", settings.Log?.Level, defaults.LogLevel, Enum.GetValues<LogLevel>()),
            LogFormat = reader.Choice("log.format", settings.Log?.Format, defaults.LogFormat, LogFormat.Text, LogFormat.Json),
            Telemetry = defaults.Telemetry with { OtlpEndpoint = settings.Telemetry?.OtlpEndpoint ?? defaults.Telemetry.OtlpEndpoint },
            Notifications = settings.Notifications?.Read(reader) ?? defaults.Notifications,
            HubLimits = settings.HubLimits?.Read(reader) ?? defaults.HubLimits,
            Tls = defaults.Tls with
            {
                CertificateFile = settings.Tls?.CertificateFile ?? defaults.Tls.CertificateFile,
                KeyFile = settings.Tls?.KeyFile ?? defaults.Tls.KeyFile,
            },
            Access = defaults.Access with
            {
                Mode = reader.Choice("access.mode", access?.Mode, defaults.Access.Mode, AccessMode.None, AccessMode.Kubernetes, AccessMode.Oidc),
                Audiences = access?.Audiences ?? defaults.Access.Audiences,
                RequestsPerSecond = access?.RequestsPerSecond ?? defaults.Access.RequestsPerSecond,
                Oidc = oidcBefore with
                {
                    Authority = oidc?.Authority ?? oidcBefore.Authority,
                    Audience = oidc?.Audience ?? oidcBefore.Audience,
                    UserClaim = oidc?.UserClaim ?? oidcBefore.UserClaim,
                    GroupsClaim = oidc?.GroupsClaim ?? oidcBefore.GroupsClaim,
                    Viewers = oidc?.Viewers ?? oidcBefore.Viewers,
                    Operators = oidc?.Operators ?? oidcBefore.Operators,
                    Admins = oidc?.Admins ?? oidcBefore.Admins,
                },
            },
        };
    }

    private static JsonObject ReadYaml(string path)
    {
        try
        {
            var yaml = new YamlStream();
            using var text = new StreamReader(path);
            yaml.Load(text);
            return yaml.Documents switch
            {
                [] => [],
                [{ RootNode: YamlMappingNode root }] => (JsonObject)Convert(root, typeof(Settings))!,
                _ => throw new DrydockOptionsException([$"configuration: {path} is not one mapping of fields."]),
            };
        }
        catch (YamlException error)
        {
            throw new DrydockOptionsException([$"configuration: {path}, line {error.Start.Line}: {error.InnerException?.Message ?? error.Message}"]);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DrydockOptionsException([$"configuration: {path} cannot be read: {error.Message}"]);
        }
    }

    /// <summary>A plain value of YAML has the type of the field it stands in: <c>mode: 5</c> is a text, <c>requestsPerSecond: 5</c> a number.</summary>
    private static JsonNode? Convert(YamlNode node, Type? type) => node switch
    {
        YamlMappingNode mapping => new JsonObject(mapping.Children.Select(each =>
            KeyValuePair.Create(each.Key.ToString(), Convert(each.Value, Member(type, each.Key.ToString())?.PropertyType)))),
        YamlSequenceNode sequence => new JsonArray([.. sequence.Select(item => Convert(item, ItemOf(type)))]),
        YamlScalarNode { Style: ScalarStyle.Plain, Value: null or "" or "~" or "null" } => null,
        YamlScalarNode scalar => Scalar(scalar.Value ?? "", type),
        _ => null,
    };

    private static JsonNode Scalar(string text, Type? type) => (Nullable.GetUnderlyingType(type ?? typeof(string)) ?? type) switch
    {
        { } flag when flag == typeof(bool) && bool.TryParse(text, out var value) => value,
        { } number when number == typeof(int) && int.TryParse(text, out var value) => value,
        _ => text,
    };

    private static void Set(JsonObject into, ReadOnlySpan<string> path, string value, Type? type)
    {
        var member = Member(type, path[0]);
        var name = member is null ? path[0] : JsonNamingPolicy.CamelCase.ConvertName(member.Name);
        if (path.Length == 1)
        {
            into[name] = Scalar(value, member?.PropertyType);
        }
        else if (ItemOf(member?.PropertyType) is { } item)
        {
            // What the environment names of a list replaces the list of the file.
            if (into[name] is not JsonArray list || path[1] == "0")
            {
                into[name] = list = [];
            }

            list.Add(Scalar(value, item));
        }
        else
        {
            var section = into[name] as JsonObject ?? [];
            into[name] = section;
            Set(section, path[1..], value, member?.PropertyType);
        }
    }

    private static PropertyInfo? Member(Type? type, string name) => type?.GetProperties()
        .FirstOrDefault(property => property.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static Type? ItemOf(Type? type) =>
        type is { IsGenericType: true } && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>) ? type.GetGenericArguments()[0] : null;

    private static string Sentence(FieldError error) => $"{error.Field}: '{error.Value}' is not allowed; allowed: {error.Allowed}.";
}
