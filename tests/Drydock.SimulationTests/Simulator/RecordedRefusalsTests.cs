using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// What KubeVirt refused and what it took beside it, asked again over HTTP. The recording is one sequence: each test asks everything up to
/// its own request.
/// </summary>
public sealed class RecordedRefusalsTests
{
    private const string After = "_after";

    private static readonly JsonObject _recorded = Read();

    public static TheoryData<string> Requests => [.. _recorded.Where(each => each.Value is JsonObject exchange && exchange["request"] is not null).Select(each => each.Key)];

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task Each_request_is_answered_as_recorded(string name)
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: g-nm, evictionStrategy: LiveMigrate, notMigratable: HostDeviceNotLiveMigratable}}]\n");
        foreach (var (before, exchange) in _recorded.TakeWhile(each => each.Key != name))
        {
            if (exchange is JsonObject { } earlier && earlier["request"] is JsonObject asked)
            {
                await AskAsync(cluster, asked);
                cluster.Pass(5);
            }
        }

        var (code, type, answer) = await AskAsync(cluster, _recorded[name]!["request"]!.AsObject());
        cluster.Pass(5);

        var response = _recorded[name]!["response"]!.AsObject();
        code.ShouldBe((int)response["code"]!);
        type.ShouldBe(response.Text("headers", "Content-Type"));
        if (response["body"] is JsonObject { } expected && expected.Text("kind") == "Status")
        {
            Told(JsonNode.Parse(answer)).ShouldBe(Told(expected));
        }
        else if (response["body"] is JsonValue text)
        {
            answer.ShouldBe(text.GetValue<string>());
        }

        if (_recorded[name + After] is JsonObject later)
        {
            var vm = cluster.Vm(response.Text("body", "metadata", "name") ?? "g-run")!;
            (vm.Text("spec", "runStrategy"), (bool?)vm.At("spec", "running"), vm.Text("status", "printableStatus"), cluster.Vmi(vm.NameOf())?.Text("status", "phase"))
                .ShouldBe((later.Text("runStrategy"), (bool?)later["running"], later.Text("printable"), later.Text("vmi")));
        }
    }

    // Uids come and go.
    private static string Told(JsonNode? status)
    {
        var details = status?["details"]?.DeepClone() as JsonObject;
        details?.Remove("uid");

        return $"{status?["status"]} {status?["code"]} {status?["reason"]}: {status?["message"]} {details?.ToJsonString()}";
    }

    private static async Task<(int Code, string? Type, string Answer)> AskAsync(TestCluster cluster, JsonObject request)
    {
        using var http = new HttpClient(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
        using var message = new HttpRequestMessage(new(request.Text("method")!), request.Text("path"));
        message.Headers.TryAddWithoutValidation("Accept", request.Text("accept") ?? "application/json, */*");
        if (request["body"] is { } body)
        {
            message.Content = new StringContent(body.ToJsonString(), MediaTypeHeaderValue.Parse(request.Text("contentType") ?? "application/json"));
        }

        using var answer = await http.SendAsync(message, TestContext.Current.CancellationToken);

        return ((int)answer.StatusCode, answer.Content.Headers.ContentType?.ToString(), await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    private static JsonObject Read()
    {
        using var stream = typeof(RecordedRefusalsTests).Assembly.GetManifestResourceStream("g_rejections.json")!;

        return JsonNode.Parse(stream)!.AsObject();
    }
}
