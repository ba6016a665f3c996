using System.Diagnostics;
using System.Net.Http.Json;
using Drydock.Api;
using Drydock.EndToEndTests.Cli;
using Drydock.EndToEndTests.Server;
using Drydock.Kubernetes;
using Drydock.Server;
using Drydock.Server.Telemetry;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Telemetry;

/// <summary>Traces as a collector gets them.</summary>
public sealed class TraceTests
{
    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_trace_goes_from_the_callers_request_through_the_maintenance_to_the_eviction_in_the_cluster()
    {
        await using var sink = await TraceSink.OpenAsync(Token);
        await using var cluster = await LiveCluster.StartAsync();
        await using var server = DrydockHost.Build(new DrydockOptions
        {
            Hub = $"Data Source={Path.Combine(cluster.Folder, "hub.db")}",
            Cluster = ClusterConnection.FromFile(cluster.Kubeconfig),
            Urls = ["http://127.0.0.1:0"],
            Operator = false,
            LogLevel = LogLevel.Warning,
            Telemetry = new TelemetryOptions { OtlpEndpoint = sink.Address },
        });
        await server.StartAsync(Token);
        using var http = new HttpClient(new SocketsHttpHandler { ActivityHeadersPropagator = null }) { BaseAddress = new Uri(server.Urls.Single()), Timeout = Timeout.InfiniteTimeSpan };

        // The caller has a trace of his own. Other servers of this process may send here too: only his trace counts.
        var (trace, caller) = (ActivityTraceId.CreateRandom().ToHexString(), ActivitySpanId.CreateRandom().ToHexString());
        using var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/maintenances")
        {
            Content = JsonContent.Create(new MaintenanceCreate { Node = cluster.Node, Health = new HealthSettings { StableFor = "1s" } }, options: ApiJson.Options),
        };
        request.Headers.TryAddWithoutValidation("traceparent", $"00-{trace}-{caller}-01");
        var started = (await (await http.SendAsync(request, Token)).EnsureSuccessStatusCode().Content.ReadFromJsonAsync<MaintenanceView>(ApiJson.Options, Token))!;
        var spans = await UntilAsync(() => [.. sink.Spans.Where(span => span.Trace == trace)], spans => IsWhole(spans, caller));

        var asked = spans.Single(span => span.Parent == caller);
        asked.Name.ShouldStartWith("POST");
        spans.ShouldAllBe(static span => span.Service == "drydock");
        var evict = spans.First(static span => span.Name == "activity:pods.evict");
        evict.Attributes["durabletask.task.instance_id"].ShouldBe($"{started.Id}:pods");
        evict.Parent.ShouldNotBeEmpty();
        var call = spans.First(span => IsEviction(span) && spans.Any(activity => activity.Id == span.Parent && activity.Name == "activity:pods.evict"));
        call.Attributes["http.request.method"].ShouldBe("POST");
    }

    private static bool IsWhole(IReadOnlyList<SinkSpan> spans, string caller) =>
        spans.Any(span => span.Parent == caller)
        && spans.Any(call => IsEviction(call) && spans.Any(activity => activity.Id == call.Parent && activity.Name == "activity:pods.evict"));

    private static bool IsEviction(SinkSpan span) => span.Attributes.GetValueOrDefault("url.full", "").EndsWith("/eviction", StringComparison.Ordinal);

    // They are sent in batches, every few seconds.
    private async Task<IReadOnlyList<SinkSpan>> UntilAsync(Func<IReadOnlyList<SinkSpan>> read, Func<IReadOnlyList<SinkSpan>, bool> isSo)
    {
        while (true)
        {
            var spans = read();
            if (isSo(spans))
            {
                return spans;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
        }
    }
}
