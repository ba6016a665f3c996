using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>Requests to a real KubeVirt with their answers, asked again of a simulated cluster over HTTP.</summary>
internal static partial class RecordedExchange
{
    /// <summary>A recording, by the name of its file.</summary>
    public static JsonNode Read(string file)
    {
        using var stream = typeof(RecordedExchange).Assembly.GetManifestResourceStream(file)!;

        return JsonNode.Parse(stream)!;
    }

    /// <summary>The names of the exchanges of a recording, in order.</summary>
    public static IEnumerable<string> Names(JsonObject recording) =>
        recording.Where(each => each.Value is JsonObject exchange && exchange["request"] is not null).Select(each => each.Key);

    /// <summary>Asks as recorded: code, content type, and the words of a refusal or of a text have to be the recorded ones.</summary>
    public static async Task ShouldBeAnsweredAsRecordedAsync(TestCluster cluster, JsonNode exchange)
    {
        var (code, type, answer) = await AskAsync(cluster, exchange["request"]!.AsObject());

        var response = exchange["response"]!.AsObject();
        code.ShouldBe((int)response["code"]!, answer);
        type.ShouldBe(response.Text("headers", "Content-Type"));
        if (response["body"] is JsonObject { } expected)
        {
            var given = JsonNode.Parse(answer);
            given.Text("kind").ShouldBe(expected.Text("kind"));
            if (expected.Text("kind") == "Status")
            {
                Told(given).ShouldBe(Told(expected));
            }
        }
        else if (response["body"] is JsonValue text)
        {
            answer.ShouldBe(text.GetValue<string>());
        }
    }

    /// <summary>Sends a recorded request about the pods and migrations that are here in place of the recorded ones.</summary>
    public static async Task<(int Code, string? Type, string Answer)> AskAsync(TestCluster cluster, JsonObject request)
    {
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        using var message = new HttpRequestMessage(new(request.Text("method")!), Here(cluster, request.Text("path")!));
        message.Headers.TryAddWithoutValidation("Accept", request.Text("accept") ?? "application/json, */*");
        if (request["body"] is { } body)
        {
            message.Content = new StringContent(Here(cluster, body.ToJsonString()), MediaTypeHeaderValue.Parse(request.Text("contentType") ?? "application/json"));
        }

        using var answer = await http.SendAsync(message, TestContext.Current.CancellationToken);

        return ((int)answer.StatusCode, answer.Content.Headers.ContentType?.ToString(), await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    // Generated names are others here: the launcher a machine runs in, and the one migration there is.
    private static string Here(TestCluster cluster, string text)
    {
        var launchers = LauncherName().Replace(text, found => cluster.Launcher(found.Groups["machine"].Value).NameOf());

        return MigrationName().Replace(launchers, _ => cluster.Store.List(Drydock.Simulator.KubeVirt.KubeVirtTypes.Migrations).ShouldHaveSingleItem().NameOf());
    }

    // Uids come and go.
    private static string Told(JsonNode? status)
    {
        var details = status?["details"]?.DeepClone() as JsonObject;
        details?.Remove("uid");

        return $"{status?["status"]} {status?["code"]} {status?["reason"]}: {status?["message"]} {details?.ToJsonString()}";
    }

    [GeneratedRegex("virt-launcher-(?<machine>[a-z0-9-]+)-[a-z0-9]{5}\\b", RegexOptions.None, 1000)]
    private static partial Regex LauncherName();

    [GeneratedRegex("kubevirt-evacuation-[a-z0-9]{5}\\b", RegexOptions.None, 1000)]
    private static partial Regex MigrationName();
}
