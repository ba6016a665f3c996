using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// Each scenario can be brought to the end it expects, by somebody who does by hand what its request says, in virtual time and through the
/// API only. What a maintenance of Drydock makes of it is tested elsewhere.
/// </summary>
public sealed class ScenarioEndTests
{
    [Theory]
    [InlineData("healthy", 12)]
    [InlineData("disruption-budget", 20)]
    [InlineData("vm-not-migratable", 15)]
    [InlineData("migration-stuck", 15)]
    [InlineData("vm-pending-after-restart", 15)]
    [InlineData("node-not-ready", 15)]
    public async Task A_careful_person_reaches_the_expected_end_in_time(string name, int seconds)
    {
        var person = new Person(Scenario.Named(name));

        await person.DrainAsync();
        person.Elapsed.ShouldBeLessThan(seconds);
        await person.PutBackAsync();

        person.Cluster.Simulated.Check().Where(each => !each.Ok).ShouldBeEmpty();
    }

    private sealed class Person(Scenario scenario)
    {
        private readonly List<(string Space, string Name, string Strategy)> _stopped = [];

        public TestCluster Cluster { get; } = new(scenario);

        public double Elapsed => (Cluster.Now - Cluster.Started).TotalSeconds;

        public async Task DrainAsync()
        {
            await PatchAsync($"/api/v1/nodes/{scenario.Maintain}", """{"spec":{"unschedulable":true}}""");
            while (await EvictAllAsync() > 0)
            {
                Elapsed.ShouldBeLessThan(60);
                Cluster.Pass(1);
                await StopStuckAsync();
            }
        }

        public async Task PutBackAsync()
        {
            if (scenario.Expect.Schedulable)
            {
                await PatchAsync($"/api/v1/nodes/{scenario.Maintain}", """{"spec":{"unschedulable":null}}""");
            }

            foreach (var (space, name, strategy) in _stopped)
            {
                await PatchAsync($"/apis/kubevirt.io/v1/namespaces/{space}/virtualmachines/{name}", $$$"""{"spec":{"runStrategy":"{{{strategy}}}"}}""");
                (await PutAsync(space, name, "start", null)).ShouldBeOneOf(HttpStatusCode.Accepted, HttpStatusCode.Conflict);
            }

            Cluster.Pass(5);
        }

        private async Task<int> EvictAllAsync()
        {
            using var http = Http();
            var left = 0;
            foreach (var pod in Cluster.PodsOn(scenario.Maintain!).Where(pod => pod.Controller().Text("kind") != "DaemonSet"))
            {
                left++;
                var eviction = new JsonObject { ["apiVersion"] = "policy/v1", ["kind"] = "Eviction", ["metadata"] = new JsonObject { ["name"] = pod.NameOf() } };
                var answer = await http.PostAsJsonAsync($"/api/v1/namespaces/{pod.NamespaceOf()}/pods/{pod.NameOf()}/eviction", eviction, CancellationToken.None);
                answer.StatusCode.ShouldBeOneOf(HttpStatusCode.Created, HttpStatusCode.TooManyRequests);
            }

            return left;
        }

        // A VM that cannot migrate, or whose migration has hung in Scheduling for three seconds, is stopped.
        private async Task StopStuckAsync()
        {
            foreach (var vmi in Cluster.Store.List(KubeVirtTypes.Instances).Where(each => each.InstanceNode() == scenario.Maintain && !each.IsDeleting()))
            {
                var (space, name) = (vmi.NamespaceOf()!, vmi.NameOf());
                var hanging = Cluster.Store.List(KubeVirtTypes.Migrations, space).FirstOrDefault(each =>
                    each.Text("spec", "vmiName") == name && each.InstancePhase() == "Scheduling" && Cluster.Now - each.Since("Scheduling") > TimeSpan.FromSeconds(3));
                var blocked = !vmi.IsMigratable() && vmi.EvictionStrategy() == "LiveMigrate";
                if (hanging is null && !blocked)
                {
                    continue;
                }

                if (hanging is not null)
                {
                    (await PutAsync(space, name, "evacuate/cancel", new() { ["evacuationNodeName"] = scenario.Maintain })).ShouldBe(HttpStatusCode.OK);
                    using var http = Http();
                    (await http.DeleteAsync($"/apis/kubevirt.io/v1/namespaces/{space}/virtualmachineinstancemigrations/{hanging.NameOf()}", CancellationToken.None)).EnsureSuccessStatusCode();
                }

                _stopped.Add((space, name, RunStrategies.Of(Cluster.Store.Get(KubeVirtTypes.VirtualMachines, space, name))));
                (await PutAsync(space, name, "stop", null)).ShouldBe(HttpStatusCode.Accepted);
                Cluster.Pass(0.5);
            }
        }

        private async Task PatchAsync(string path, string patch)
        {
            using var http = Http();
            using var content = new StringContent(patch, Encoding.UTF8, "application/merge-patch+json");
            (await http.PatchAsync(path, content, CancellationToken.None)).EnsureSuccessStatusCode();
            Cluster.Pass(0);
        }

        private async Task<HttpStatusCode> PutAsync(string space, string name, string subresource, JsonObject? body)
        {
            using var http = Http();
            using var content = body is null ? null : JsonContent.Create(body);
            return (await http.PutAsync($"/apis/subresources.kubevirt.io/v1/namespaces/{space}/virtualmachines/{name}/{subresource}", content, CancellationToken.None)).StatusCode;
        }

        private HttpClient Http() => new(Cluster.Simulated.Api.CreateHandler()) { BaseAddress = new("http://simulated") };
    }
}
