using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>Faults of a scenario file and faults made while the cluster runs, as somebody with an HTTP client sees them.</summary>
public sealed class FaultTests
{
    private const string Shop = TestCluster.ThreeNodes + """
        evictionStrategy: LiveMigrate
        workloads: [{deployment: web, replicas: 3, on: [node-1, node-2, node-3]}]
        budgets: [{name: web, maxUnavailable: 1}]
        virtualMachines: [{name: vm, on: node-1, copy: 2s}]

        """;

    [Fact]
    public async Task A_share_of_the_requests_fails_and_the_same_seed_gives_the_same_ones()
    {
        const string faults = "faults: [{requests: get nodes, answer: 503, share: 30}, {requests: list pods, answer: 429, retryAfter: 7, share: 20}]\n";

        var first = await CodesAsync(new TestCluster(Shop + faults), mixed: false);
        var again = await CodesAsync(new TestCluster(Shop + faults), mixed: true);

        first.ShouldBe(again);
        first.Count(code => code == HttpStatusCode.ServiceUnavailable).ShouldBeInRange(15, 45);
    }

    [Fact]
    public async Task Too_many_requests_come_with_Retry_After()
    {
        using var http = Client(new TestCluster(Shop + "faults: [{requests: create pods/eviction, answer: 429, retryAfter: 7}]\n"));

        var answer = await http.PostAsync("/api/v1/namespaces/default/pods/x/eviction", Json("{}"), CancellationToken.None);

        ((int)answer.StatusCode).ShouldBe(429);
        answer.Headers.RetryAfter!.Delta.ShouldBe(TimeSpan.FromSeconds(7));
    }

    [Theory]
    [InlineData("reset", false)]
    [InlineData("resetAfter", true)]
    public async Task A_connection_breaks_before_or_after_the_change(string kind, bool done)
    {
        var cluster = new TestCluster(Shop + $"faults: [{{requests: patch nodes, answer: {kind}, count: 1}}]\n");
        using var http = Client(cluster);

        await Should.ThrowAsync<HttpRequestException>(() => http.PatchAsync("/api/v1/nodes/node-1", Merge("""{"spec":{"unschedulable":true}}"""), CancellationToken.None));
        cluster.Node("node-1").Flag("spec", "unschedulable").ShouldBe(done);

        (await http.PatchAsync("/api/v1/nodes/node-1", Merge("""{"spec":{"unschedulable":true}}"""), CancellationToken.None)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Answers_are_late_by_the_latency_and_less_than_the_jitter()
    {
        var cluster = new TestCluster(Shop + "faults: [{requests: get nodes, latency: 2s, jitter: 1s}]\n");
        using var http = Client(cluster);

        var answer = http.GetAsync("/api/v1/nodes/node-1", CancellationToken.None);
        cluster.Pass(1.9);
        await Task.Yield();
        answer.IsCompleted.ShouldBeFalse();
        cluster.Simulated.Api.RequestsInFlight.ShouldBe(0);
        cluster.Pass(1.2);

        (await answer).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_restart_of_the_API_server_ends_watches_and_refuses_connections_for_a_while()
    {
        var cluster = new TestCluster(Shop + "faults: [{apiServerRestarts: true, after: 5s, for: 3s}]\n");
        using var http = Client(cluster);
        using var watch = await http.GetAsync("/api/v1/nodes?watch=true", HttpCompletionOption.ResponseHeadersRead, CancellationToken.None);

        cluster.Pass(5);
        await watch.Content.ReadAsStringAsync(CancellationToken.None);
        await Should.ThrowAsync<HttpRequestException>(() => http.GetAsync("/version", CancellationToken.None));
        cluster.Pass(3);

        (await http.GetAsync("/version", CancellationToken.None)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task Watches_that_expire_have_to_list_again()
    {
        var cluster = new TestCluster(Shop + "faults: [{watchesExpire: true, after: 5s}]\n");
        using var http = Client(cluster);
        var version = cluster.Store.ResourceVersion;

        cluster.Pass(6);
        var answer = await http.GetStringAsync($"/api/v1/nodes?watch=true&resourceVersion={version}", CancellationToken.None);

        answer.ShouldContain("\"code\":410");
    }

    [Fact]
    public void A_kubelet_that_never_terminates_keeps_pods_and_guests_until_the_fault_is_over()
    {
        var cluster = new TestCluster(Shop + "faults: [{kubeletNeverTerminates: node-1, for: 60s}]\n");

        cluster.Cordon("node-1");
        cluster.PodsOn("node-1").ForEach(pod => cluster.Delete(ResourceTypes.Pods, pod));
        cluster.Pass(59);
        cluster.PodsOn("node-1").Count.ShouldBe(2);
        cluster.Pass(5);

        cluster.PodsOn("node-1").ShouldBeEmpty();
    }

    [Fact]
    public void A_finalizer_that_stays_keeps_deleted_pods_also_new_ones()
    {
        var cluster = new TestCluster(Shop + "faults: [{finalizerStays: web, for: 60s}]\n");

        cluster.PodsOf("web").ForEach(pod => cluster.Delete(ResourceTypes.Pods, pod));
        cluster.Pass(10);
        cluster.PodsOf("web").Where(pod => pod.IsActive()).ToList().ForEach(pod => cluster.Delete(ResourceTypes.Pods, pod));
        cluster.Pass(10);
        cluster.PodsOf("web").Count(pod => pod.IsDeleting()).ShouldBe(6);
        cluster.Pass(45);

        cluster.PodsOf("web").ShouldNotContain(pod => pod.IsDeleting());
    }

    [Fact]
    public void A_budget_that_never_frees_allows_nothing_until_the_fault_is_over()
    {
        var cluster = new TestCluster(Shop + "faults: [{budgetNeverFrees: web, for: 60s}]\n");
        long? Allowed() => cluster.Store.Get(ResourceTypes.PodDisruptionBudgets, "default", "web").Number("status", "disruptionsAllowed");

        cluster.Pass(1);
        Allowed().ShouldBe(0);
        cluster.Pass(60);

        Allowed().ShouldBe(1);
    }

    [Theory]
    [InlineData("migrationsUnschedulable: vm", "Scheduling")]
    [InlineData("migrationsSlow: vm, takes: 60s", "Running")]
    [InlineData("migrationsStall: vm", "Running")]
    [InlineData("migrationsFail: vm", "Pending")]
    public void A_migration_does_not_succeed_while_the_fault_lasts_and_does_afterwards(string fault, string phase)
    {
        var cluster = new TestCluster(Shop + $"faults: [{{{fault}, for: 400s}}]\n");

        cluster.Mark("vm");
        cluster.Pass(20);
        cluster.Migrations("vm")[^1].InstancePhase().ShouldBe(phase);
        cluster.Vmi("vm").InstanceNode().ShouldBe("node-1");

        cluster.PassUntil(() => cluster.Vmi("vm").InstanceNode() != "node-1", atMost: 2000);
    }

    [Theory]
    [InlineData("virtApiDown", "connect: connection refused", 0)]
    [InlineData("virtApiHangs", "context deadline exceeded", 10)]
    public async Task Without_virt_api_launchers_cannot_be_evicted_and_other_pods_can(string fault, string failure, int seconds)
    {
        var cluster = new TestCluster(Shop + $"faults: [{{{fault}: true}}]\n");
        using var http = Client(cluster);
        cluster.Pass(1);

        var launcher = EvictAsync(http, cluster.Launcher("vm").NameOf());
        cluster.Pass(seconds);
        var (code, body) = await launcher;
        code.ShouldBe(500);
        body.ShouldContain("failed calling webhook \\\"virt-launcher-eviction-interceptor.kubevirt.io\\\"");
        body.ShouldContain(failure);

        (await EvictAsync(http, cluster.PodsOf("web")[0].NameOf())).Code.ShouldBe(201);
        http.DefaultRequestHeaders.TryAddWithoutValidation("Accept", "application/json, */*");
        var stop = http.PutAsync("/apis/subresources.kubevirt.io/v1/namespaces/default/virtualmachines/vm/stop", null, CancellationToken.None);
        cluster.Pass(seconds);
        (await stop).StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await (await stop).Content.ReadAsStringAsync(CancellationToken.None)).ShouldStartWith("error trying to reach service: ");
    }

    [Fact]
    public async Task A_fault_can_be_made_listed_and_ended_while_the_cluster_runs()
    {
        var cluster = new TestCluster(Shop);
        using var http = Client(cluster);

        var made = await http.PostAsync("/simulator/faults", Json("""{"nodeNotReady": "node-2", "for": "5m"}"""), CancellationToken.None);
        made.StatusCode.ShouldBe(HttpStatusCode.Created);
        var id = JsonNode.Parse(await made.Content.ReadAsStringAsync(CancellationToken.None))!["id"]!.GetValue<int>();
        cluster.Pass(1);
        cluster.Node("node-2").IsTrue("Ready").ShouldBeFalse();
        (await http.GetStringAsync("/simulator/faults", CancellationToken.None)).ShouldBe(
            $$"""[{"id":{{id}},"state":"active","nodeNotReady":"node-2","for":"300s"}]""");

        (await http.DeleteAsync($"/simulator/faults/{id}", CancellationToken.None)).StatusCode.ShouldBe(HttpStatusCode.OK);
        cluster.Pass(1);

        cluster.Node("node-2").IsTrue("Ready").ShouldBeTrue();
        (await http.GetStringAsync($"/simulator/faults/{id}", CancellationToken.None)).ShouldContain("\"state\":\"over\"");
    }

    [Theory]
    [InlineData("""{"kubeletDies": "node-9"}""", "kubeletDies is 'node-9'. Allowed: node-1, node-2, node-3.")]
    [InlineData("""{"requests": "eat pods"}""", "requests is 'eat pods'. Allowed: VERB or VERB RESOURCE, such as create pods/eviction; the verb is one of all, get,")]
    [InlineData("""{"requests": "all", "answer": "418"}""", "answer is '418'. Allowed: 409, 410, 429, 500, 503, 504, reset, resetAfter.")]
    [InlineData("""{"kubeletDies": "node-1", "takes": "1s"}""", "Unknown field takes (1s), line 1. Allowed here: ")]
    [InlineData("{}", "A fault has one of the fields budgetFrees, ")]
    public async Task A_fault_that_cannot_be_is_refused_with_what_is_allowed(string body, string message)
    {
        using var http = Client(new TestCluster(Shop));

        var answer = await http.PostAsync("/simulator/faults", Json(body), CancellationToken.None);

        answer.StatusCode.ShouldBe(HttpStatusCode.BadRequest);
        JsonNode.Parse(await answer.Content.ReadAsStringAsync(CancellationToken.None))!["error"]!.GetValue<string>().ShouldStartWith(message);
    }

    private static HttpClient Client(TestCluster cluster)
    {
        cluster.Pass(0);
        return new(cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
    }

    // Other requests between them must not change which ones fail.
    private static async Task<List<HttpStatusCode>> CodesAsync(TestCluster cluster, bool mixed)
    {
        using var http = Client(cluster);
        var codes = new List<HttpStatusCode>();
        for (var i = 0; i < 100; i++)
        {
            if (mixed)
            {
                await http.GetAsync("/api/v1/pods", CancellationToken.None);
            }

            codes.Add((await http.GetAsync("/api/v1/nodes/node-1", CancellationToken.None)).StatusCode);
        }

        return codes;
    }

    private static async Task<(int Code, string Body)> EvictAsync(HttpClient http, string pod)
    {
        var eviction = "{\"apiVersion\":\"policy/v1\",\"kind\":\"Eviction\",\"metadata\":{\"namespace\":\"default\",\"name\":\"" + pod + "\"}}";
        var answer = await http.PostAsync($"/api/v1/namespaces/default/pods/{pod}/eviction", Json(eviction), CancellationToken.None);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(CancellationToken.None));
    }

    private static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");

    private static StringContent Merge(string body) => new(body, Encoding.UTF8, "application/merge-patch+json");
}
