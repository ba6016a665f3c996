using System.Collections.Concurrent;
using System.Text;
using Drydock.Api;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>The server ends quickly while it waits, and stays off what another operator does.</summary>
public sealed class StopTests
{
    private const string Resource = "/apis/nodemaintenance.medik8s.io/v1beta1/nodemaintenances";
    private const string Leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases";

    private CancellationToken Token { get; } = Harbour.Deadline();

    [Fact]
    public async Task A_stop_in_the_middle_of_waits_is_quick_and_loses_nothing()
    {
        var log = new Lines();
        await using var harbour = await Harbour.OpenAsync(Token, services: services => services.AddLogging(logging => logging.AddProvider(log)));
        var started = await harbour.Api.CreateMaintenanceAsync(
            new MaintenanceCreate { Node = "node-1", Action = "Hold", Health = new HealthSettings { StableFor = "0s" } }, null, Token);
        await harbour.WatchAsync(started.Id, static view => view.State == MaintenanceState.Holding, Token);

        await harbour.StopServerAsync();
        await harbour.StartServerAsync(Token);
        await harbour.Api.CompleteMaintenanceAsync(started.Id, skipHealth: false, Token);
        var ended = await harbour.WatchAsync(started.Id, static _ => false, Token);

        // A wait that is not told that the server ends takes the whole drain time-out, and the worker says so.
        log.All.ShouldNotContain(static line => line.Contains("work items still run after"));
        ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
        ended.LeftBehind.ShouldBeEmpty();
        harbour.Cluster.Api.RequestLog.Of("create", "pods", "eviction").Where(static request => request.Code is 200 or 201)
            .GroupBy(static request => $"{request.Namespace}/{request.Name}").ShouldAllBe(static pod => pod.Count() == 1);
    }

    [Fact]
    public async Task While_a_Node_Maintenance_Operator_runs_its_resources_are_left_to_it_and_afterwards_they_are_ours()
    {
        var log = new Lines();
        await using var harbour = await Harbour.OpenAsync(Token, services: services => services.AddLogging(logging => logging.AddProvider(log)));
        await harbour.StopServerAsync();
        await PostAsync(harbour, Leases, $$$"""
            {"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{"name":"135b1886.medik8s.io","namespace":"default"},
             "spec":{"holderIdentity":"nmo-0","leaseDurationSeconds":3600,"renewTime":"{{{TimeProvider.System.GetUtcNow().UtcDateTime:yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'}}}"}}
            """);
        await PostAsync(harbour, Resource, """
            {"apiVersion":"nodemaintenance.medik8s.io/v1beta1","kind":"NodeMaintenance","metadata":{"name":"theirs"},"spec":{"nodeName":"node-1"}}
            """);

        await harbour.StartServerAsync(Token);
        while (!log.All.Any(static line => line.Contains("The NodeMaintenance door does not open.")))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Token);
        }

        var rest = await harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-2", Health = new HealthSettings { StableFor = "0s" } }, null, Token);
        var byRest = await harbour.WatchAsync(rest.Id, static _ => false, Token);
        var theirs = await harbour.GetAsync($"{Resource}/theirs", Token);
        await harbour.StopServerAsync();
        await harbour.Kubernetes.DeleteAsync($"{Leases}/135b1886.medik8s.io", Token);
        await harbour.StartServerAsync(Token);
        var ours = await harbour.UntilAsync($"{Resource}/theirs", static found => found?["status"]?["phase"]?.ToString() == "Succeeded", Token);

        byRest.State.ShouldBe(MaintenanceState.Completed, "the other doors are open");
        theirs!["status"].ShouldBeNull();
        theirs["metadata"]!["finalizers"].ShouldBeNull();
        log.All.ShouldContain(static line => line.Contains("nmo-0 (lease default/135b1886.medik8s.io)") && line.Contains("uninstall it, or run Drydock without its operator"));
        ours!["metadata"]!["finalizers"].ShouldNotBeNull();
    }

    private async Task PostAsync(Harbour harbour, string path, string json)
    {
        using var content = new StringContent(json, Encoding.UTF8, "application/json");
        var answer = await harbour.Kubernetes.PostAsync(path, content, Token);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Token));
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> All => [.. _lines];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
