using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The masked values of one case: what they stand for in requests, and whether they agree in answers.</summary>
internal sealed partial class Placeholders(Replayer replayer, JsonObject recorded)
{
    private readonly Dictionary<string, string> _known = [];
    private string _versionBefore = "";
    private string? _objectVersionBefore;

    private string Name => recorded.Text("name")!;

    private bool IsRefused => recorded.At("response", "status").Number() == 409;

    /// <summary>Notes the versions before the setup: a request that is refused as stale was made from these.</summary>
    public void RememberBefore()
    {
        _versionBefore = replayer.Version.ToString(CultureInfo.InvariantCulture);
        if (recorded.At("request").Text("path") is { } path && path.Contains("/namespaces/nope/") is false && path.Split('/').Length > 4)
        {
            _objectVersionBefore = replayer.Find(path)?.VersionOf();
        }
    }

    /// <summary>A request with real values in the place of the masked ones.</summary>
    public string Fill(string text, string path)
    {
        text = replayer.Names.Translate(text);
        if (!text.Contains('<'))
        {
            return text;
        }

        var now = DateTimeOffset.UnixEpoch.AddYears(56);
        if (text.Contains("\"creationTimestamp\":\"<time>\""))
        {
            text = text.Replace("\"creationTimestamp\":\"<time>\"",
                $"\"creationTimestamp\":\"{replayer.Find(path).Text("metadata", "creationTimestamp")}\"");
        }

        return Mask().Replace(text, match => match.Groups["kind"].Value switch
        {
            "rv" when Name.StartsWith("188", StringComparison.Ordinal) => Compacted(),
            "rv" when path == text => replayer.Version.ToString(CultureInfo.InvariantCulture),
            "rv" => IsRefused ? StaleOrCurrent(path) : replayer.Find(path)?.VersionOf() ?? "",
            "uid" => replayer.Find(path)?.UidOf() ?? "",
            "time" => now.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
            "microtime" => now.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture),
            "continue" or "token" => replayer.Token(match.Value, Name),
            _ => match.Value,
        });
    }

    public string Compare(JsonObject expected, Answer answer)
    {
        if (expected.Number("status") != answer.Code)
        {
            return $"answered {answer.Code}, not {expected.Number("status")}: {answer.Text}";
        }

        var differences = new StringBuilder();
        foreach (var (header, value) in expected["headers"] as JsonObject ?? [])
        {
            // Not part of the contract (README of the recordings): how the body is cut up.
            if (header is "Transfer-Encoding")
            {
                continue;
            }

            var wanted = value is JsonArray many ? many.Select(v => (string)v!).ToList() : [(string)value!];
            if (!answer.Headers.TryGetValue(header, out var got) || !(wanted is ["<etag>"] ? got is [{ Length: > 0 }] : wanted.SequenceEqual(got)))
            {
                differences.AppendLine($"{header}: expected {string.Join(" | ", wanted)}, got {string.Join(" | ", got ?? [])}");
            }
        }

        if (expected.Text("bodyText") is { } text)
        {
            var isYaml = expected.Text("headers", "Content-Type") == "application/yaml";
            if (text != answer.Text && answer.Body is null && !(isYaml && SameYaml(text, answer.Text)))
            {
                differences.AppendLine($"body: expected {text}, got {answer.Text}");
            }
        }
        else if (expected["bodyOmitted"] is null && expected.ContainsKey("body"))
        {
            CompareNode(expected["body"], answer.Body, "$", differences);
        }

        return differences.ToString();
    }

    private string StaleOrCurrent(string path) =>
        recorded.Objects("setup").Any(s => s.Text("method") is not null) || recorded.Text("description")!.Contains("stale") || recorded.Text("description")!.Contains("old resourceVersion")
            ? Stale(path)
            : replayer.Find(path)?.VersionOf() ?? "";

    private string Stale(string path)
    {
        var current = replayer.Find(path)?.VersionOf() ?? "";

        return _objectVersionBefore is { } before && before != current ? before : "101";
    }

    private string Compacted()
    {
        var old = long.Parse(_versionBefore, CultureInfo.InvariantCulture) - 1;
        replayer.Compact();

        return old.ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Field managers, hashes of types and the texts that explain columns are out of scope; pods' addresses are the kubelet's.</summary>
    private static bool IsIgnored(string path, string name) =>
        name is "managedFields" or "storageVersionHash" or "serverAddress" or "containerID" or "imageID" or "podIP" or "podIPs"
        || (name is "description" && path.Contains("columnDefinitions"))
        || name is "buildDate" or "bootID" or "machineID" or "systemUUID"
        || name.Contains("kubevirt.io");

    private bool Agree(JsonNode? expected, JsonNode? actual, string path)
    {
        // "fake" is what the recorded kubelets said in conditions; the simulated ones say what real ones do.
        if (JsonNode.DeepEquals(expected, actual) || (path.EndsWith(".message", StringComparison.Ordinal) && expected?.ToString() == "fake"))
        {
            return true;
        }

        if (expected?.GetValueKind() != JsonValueKind.String || actual?.GetValueKind() != JsonValueKind.String)
        {
            return false;
        }

        var (wanted, got) = (replayer.Names.Translate((string)expected!), (string)actual!);
        if (path.EndsWith(".name", StringComparison.Ordinal) && Generated((string)expected!) is { } prefix && got.StartsWith(prefix, StringComparison.Ordinal))
        {
            return true;
        }

        if (path.Contains(".cells[") && ((Age().IsMatch(wanted) && Age().IsMatch(got))
            || (wanted.StartsWith("10.", StringComparison.Ordinal) && got.StartsWith("10.", StringComparison.Ordinal))))
        {
            return true;
        }

        if (QuotedObject().Match(wanted) is { Success: true } one && QuotedObject().Match(got) is { Success: true } other)
        {
            return one.Groups["around"].Captures.Select(part => part.Value).SequenceEqual(other.Groups["around"].Captures.Select(part => part.Value))
                && SameQuoted(one.Groups["object"].Value, other.Groups["object"].Value);
        }

        // The difference of two Go structures that follows some messages is not compared.
        return Matches(Plain(wanted), Plain(got));
    }

    /// <summary>A complaint about a patch quotes the whole object, as JSON in a Go string: compared as an object.</summary>
    private bool SameQuoted(string recorded, string replayed)
    {
        var differences = new StringBuilder();
        CompareNode(JsonNode.Parse(Regex.Unescape(recorded)), JsonNode.Parse(Regex.Unescape(replayed)), "$", differences);

        return differences.Length == 0;
    }

    private static string Plain(string text) => Replayer.TokenVolume().Replace(text.Split("\n@@")[0], "kube-api-access-x");

    private string? Generated(string name) =>
        recorded.At("request", "body").Text("metadata", "generateName") is { } prefix && name.StartsWith(prefix, StringComparison.Ordinal) ? prefix : null;

    private bool Matches(string wanted, string got)
    {
        var names = new List<string>();
        var pattern = Regex.Replace(Regex.Escape(wanted), @"<(?:rv|uid|time|microtime|continue|token|server|etag|hash)(?:[-\\+0-9s]*)>|(?<=in\\ record\\ \\\()\d+", match =>
        {
            var mask = Regex.Unescape(match.Value);
            names.Add(mask);

            return mask[1..] switch
            {
                ['r', 'v', ..] => "([0-9]+)",
                ['u', 'i', 'd', ..] => "([-0-9a-f]{36})",
                ['t', 'i', 'm', 'e', ..] or ['m', 'i', ..] => @"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.0-9]*Z)",
                _ when mask[0] != '<' => "([0-9]+)",
                _ => "(.+)",
            };
        }, RegexOptions.None, TimeSpan.FromSeconds(1));
        var match = Regex.Match(got, $"^{pattern}$", RegexOptions.Singleline, TimeSpan.FromSeconds(1));

        return match.Success && names.Index().All(n => Consistent(n.Item, match.Groups[n.Index + 1].Value));
    }

    /// <summary>The same uid or version placeholder is the same value all through a case.</summary>
    private bool Consistent(string mask, string value)
    {
        if (!mask.StartsWith("<uid", StringComparison.Ordinal) && !mask.StartsWith("<rv", StringComparison.Ordinal))
        {
            return true;
        }

        if (_known.TryGetValue(mask, out var before))
        {
            return before == value;
        }

        _known[mask] = value;

        return true;
    }

    /// <summary>The version of a list is that of the last write to anything: equal to that of an item by chance only.</summary>
    private static bool IsListVersion(string path, JsonObject parent) => path == "$.metadata" && parent.Count <= 3 && !parent.ContainsKey("name");

    private static string Show(JsonObject parent, string name) => parent.ContainsKey(name) ? Short(parent[name]) : "nothing";

    private static string Short(JsonNode? node) => (node?.ToJsonString() ?? "null") is var text && text.Length > 700 ? text[..700] + "…" : text;

    [GeneratedRegex(@"<(?<kind>rv|uid|time|microtime|continue|token)[-+0-9s]*>", RegexOptions.None, 1000)]
    private static partial Regex Mask();

    [GeneratedRegex("""^(?<around>.*Invalid value: ")(?<object>\{\\"apiVersion.*\})(?<around>": .*)$""", RegexOptions.None, 1000)]
    private static partial Regex QuotedObject();

    [GeneratedRegex(@"^(\d+[smhdy])+$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Age();
}
