using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Drydock.SimulationTests.Simulator;

/// <summary>A simulated cluster in virtual time: nothing happens unless a test lets time pass.</summary>
internal sealed class TestCluster
{
    public const string ThreeNodes = "name: test\nnodes: [{name: 'node-{n}', count: 3}]\nmaintain: node-1\n";

    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero));

    public TestCluster(string scenario)
        : this(Scenario.Load(scenario))
    {
    }

    public TestCluster(Scenario scenario, int seed = 1)
    {
        Simulated = SimulatedCluster.Create(scenario, _clock, NullLoggerFactory.Instance, seed);
        Simulated.StartPaused();
        Simulated.RunReady();
        Started = _clock.GetUtcNow();
    }

    public SimulatedCluster Simulated { get; }

    public IObjectStore Store => Simulated.Store;

    public DateTimeOffset Started { get; }

    public DateTimeOffset Now => _clock.GetUtcNow();

    /// <summary>Lets time pass, stopping at everything that is due on the way.</summary>
    public void Pass(double seconds)
    {
        var end = _clock.GetUtcNow() + TimeSpan.FromSeconds(seconds);
        Simulated.RunReady();
        while (Simulated.NextDue is { } due && due <= end)
        {
            StepTo(due);
        }

        StepTo(end);
    }

    /// <summary>Lets time pass until something is true; returns how many seconds it took.</summary>
    public double PassUntil(Func<bool> condition, double atMost = 60)
    {
        var start = _clock.GetUtcNow();
        Simulated.RunReady();
        while (!condition())
        {
            if (Simulated.NextDue is not { } due || due > start + TimeSpan.FromSeconds(atMost))
            {
                throw new TimeoutException($"Not within {atMost} s.");
            }

            StepTo(due);
        }

        return (_clock.GetUtcNow() - start).TotalSeconds;
    }

    public JsonObject Node(string name) => Store.Get(ResourceTypes.Nodes, null, name)!;

    public JsonObject? Vm(string name) => Store.Get(KubeVirtTypes.VirtualMachines, "default", name);

    public JsonObject? Vmi(string name) => Store.Get(KubeVirtTypes.Instances, "default", name);

    public JsonObject Launcher(string vm) => Instances.ActiveLauncher(new(Store, _clock, new Random(1), new(Store, _clock)), Vmi(vm)!)!;

    public List<JsonObject> Migrations(string vmi) =>
        [.. Store.List(KubeVirtTypes.Migrations).Where(each => each.Text("spec", "vmiName") == vmi).OrderBy(each => long.Parse(each.VersionOf()))];

    public List<JsonObject> PodsOn(string node) => [.. Store.PodsOnNode(node).Where(pod => !pod.IsFinished())];

    public List<JsonObject> PodsOf(string app) => [.. Store.List(ResourceTypes.Pods).Where(pod => pod.Label("app") == app)];

    public void Cordon(string node, bool cordon = true) => Store.Update(ResourceTypes.Nodes, null, node, current =>
    {
        current.Set(cordon ? true : null, "spec", "unschedulable");
        return true;
    });

    public void Mark(string vmi) => Store.Update(KubeVirtTypes.Instances, "default", vmi, current =>
    {
        current.Ensure("status")["evacuationNodeName"] = current.InstanceNode();
        return true;
    });

    public void Delete(ResourceType type, JsonObject item, int? grace = null) =>
        Store.Delete(type, item.NamespaceOf(), item.NameOf(), new(grace));

    private void StepTo(DateTimeOffset time)
    {
        if (time > _clock.GetUtcNow())
        {
            _clock.SetUtcNow(time);
        }

        Simulated.RunReady();
    }
}
