using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>What current kubectl sends as protobuf.</summary>
public sealed class ProtobufTests : IAsyncLifetime
{
    private readonly SimulatedCluster _cluster =
        SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _cluster.StartAsync(Token);

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task A_namespace_is_made_with_its_name_and_labels()
    {
        var label = Message(11, [.. Text(1, "team"), .. Text(2, "a")]);

        var (code, answer) = await PostAsync("namespaces", Envelope("Namespace", Message(1, [.. Text(1, "made"), .. label])));

        code.ShouldBe(HttpStatusCode.Created, answer);
        ((string?)_cluster.Store.Get(ResourceTypes.Namespaces, null, "made")!["metadata"]!["labels"]!["team"]).ShouldBe("a");
    }

    [Fact]
    public async Task The_options_of_a_deletion_are_read_with_their_precondition_and_dry_run()
    {
        var pod = _cluster.Store.List(ResourceTypes.Pods, "shop")[0];
        byte[] none = Envelope("DeleteOptions", [8, 5, .. Message(2, Text(1, "another"))]);
        byte[] dry = Envelope("DeleteOptions", [8, 5, .. Message(2, Text(1, pod.UidOf())), .. Text(5, "All")]);
        byte[] real = Envelope("DeleteOptions", [8, 5, .. Message(2, Text(1, pod.UidOf()))]);
        var path = $"namespaces/shop/pods/{pod.NameOf()}";

        (await SendAsync(HttpMethod.Delete, path, none)).Code.ShouldBe(HttpStatusCode.Conflict);
        (await SendAsync(HttpMethod.Delete, path, dry)).Code.ShouldBe(HttpStatusCode.OK);
        _cluster.Store.Get(ResourceTypes.Pods, "shop", pod.NameOf()).At("metadata", "deletionTimestamp").ShouldBeNull();
        (await SendAsync(HttpMethod.Delete, path, real)).Code.ShouldBe(HttpStatusCode.OK);
        _cluster.Store.Get(ResourceTypes.Pods, "shop", pod.NameOf()).Number("metadata", "deletionGracePeriodSeconds").ShouldBe(5);
    }

    [Fact]
    public async Task A_kind_that_is_not_read_is_named_with_a_way_out()
    {
        var (code, answer) = await PostAsync("namespaces/default/services", Envelope("Service", Message(1, Text(1, "web"))));

        code.ShouldBe(HttpStatusCode.UnsupportedMediaType);
        answer.ShouldContain("does not read Service as protobuf: send JSON or YAML, as kubectl apply -f does");
    }

    [Fact]
    public async Task A_body_that_ends_in_the_middle_is_refused()
    {
        var body = Envelope("Namespace", Message(1, Text(1, "made")));

        (await PostAsync("namespaces", body[..^3])).Code.ShouldBe(HttpStatusCode.UnsupportedMediaType);
    }

    private static byte[] Envelope(string kind, byte[] @object) =>
        [.. "k8s\0"u8, .. Message(1, [.. Text(1, "v1"), .. Text(2, kind)]), .. Message(2, @object)];

    private static byte[] Text(int field, string value) => Message(field, Encoding.UTF8.GetBytes(value));

    private static byte[] Message(int field, byte[] content) => [(byte)((field << 3) | 2), (byte)content.Length, .. content];

    private Task<(HttpStatusCode Code, string Answer)> PostAsync(string path, byte[] body) => SendAsync(HttpMethod.Post, path, body);

    private async Task<(HttpStatusCode Code, string Answer)> SendAsync(HttpMethod method, string path, byte[] body)
    {
        using var client = new HttpClient(_cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated") };
        using var request = new HttpRequestMessage(method, "/api/v1/" + path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/vnd.kubernetes.protobuf");
        var answer = await client.SendAsync(request, Token);

        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }
}
