using System.Collections.Concurrent;
using Drydock.Simulator.Controllers;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Scenarios;

/// <summary>A fault that waits for its time, is in force, or is over.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Spec">What it is.</param>
/// <param name="Since">When what it waits for happened; null: it has not.</param>
internal sealed record RunningFault(int Id, FaultSpec Spec, DateTimeOffset? Since)
{
    /// <summary>waiting, active or over.</summary>
    public string State { get; init; } = "waiting";
}

/// <summary>
/// Begins and ends faults: those of the scenario at their times after the start, the cordon or the reboot of the maintained node, and those
/// somebody adds while the cluster runs. What they do is in <see cref="FaultEffects"/>.
/// </summary>
internal sealed class FaultController(ClusterContext cluster, FaultEffects effects, Scenario scenario) : IController
{
    private readonly ConcurrentDictionary<int, RunningFault> _faults = new(
        scenario.Faults.Index().Select(each => KeyValuePair.Create(each.Index, new RunningFault(each.Index, each.Item, null))));

    private readonly ConcurrentDictionary<FaultStart, DateTimeOffset> _happened = [];
    private readonly ConcurrentDictionary<int, bool> _lifted = [];
    private readonly Dictionary<int, DateTimeOffset> _lastTime = [];
    private int _next = scenario.Faults.Count;

    /// <summary>All faults so far.</summary>
    public IReadOnlyList<RunningFault> All => [.. _faults.Values.OrderBy(each => each.Id)];

    public IEnumerable<ObjectKey> Affected(Change change)
    {
        if (!_happened.ContainsKey(FaultStart.Start))
        {
            return [];
        }

        if (change.Type.Equals(ResourceTypes.Pods) && change.Kind == ChangeKind.Added)
        {
            effects.PodAppeared(change.Object);
        }

        if (!change.Type.Equals(ResourceTypes.Nodes) || change.Name != scenario.Maintain)
        {
            return [];
        }

        if (change.Object.Flag("spec", "unschedulable") && !change.Before.Flag("spec", "unschedulable"))
        {
            _happened.TryAdd(FaultStart.Cordon, cluster.Now);
        }

        return Keys();
    }

    /// <summary>The scenario has started: faults may begin.</summary>
    public void Begin(Action<ObjectKey> wake) => Happened(FaultStart.Start, wake);

    /// <summary>The maintained node came back from a reboot.</summary>
    public void Rebooted(string node, Action<ObjectKey> wake)
    {
        if (node == scenario.Maintain)
        {
            Happened(FaultStart.Reboot, wake);
        }
    }

    /// <summary>Adds a fault; its times count from now. Any thread.</summary>
    public RunningFault Add(FaultSpec spec, Action<ObjectKey> wake)
    {
        var fault = new RunningFault(Interlocked.Increment(ref _next) - 1, spec, cluster.Now);
        _faults[fault.Id] = fault;
        wake(Key(fault.Id));
        return fault;
    }

    /// <summary>Ends a fault, or keeps it from beginning; false: there is none of that number. Any thread.</summary>
    public bool Lift(int id, Action<ObjectKey> wake)
    {
        if (!_faults.ContainsKey(id))
        {
            return false;
        }

        _lifted[id] = true;
        wake(Key(id));
        return true;
    }

    public TimeSpan? Reconcile(ObjectKey key)
    {
        var fault = _faults[int.Parse(key.Name)];
        if ((fault.Since ?? (_happened.TryGetValue(fault.Spec.Since, out var time) ? time : null)) is not { } since)
        {
            return null;
        }

        var begins = since + fault.Spec.After;
        var over = _lifted.ContainsKey(fault.Id) || begins + fault.Spec.For <= cluster.Now;
        return (fault.State, over) switch
        {
            ("over", _) => null,
            ("waiting", true) => Set(fault, "over"),
            (_, true) => End(fault),
            _ when cluster.Until(begins) is { Ticks: > 0 } wait => wait,
            _ => Continue(fault, begins),
        };
    }

    private static ObjectKey Key(int id) => new(null, id.ToString());

    private TimeSpan? Continue(RunningFault fault, DateTimeOffset begins)
    {
        if (fault.State == "waiting")
        {
            Set(fault, "active");
            _lastTime[fault.Id] = cluster.Now;
            effects.Begin(fault);
        }
        else if (fault.Spec.Every is { } period && _lastTime[fault.Id] + period <= cluster.Now)
        {
            _lastTime[fault.Id] = cluster.Now;
            effects.Repeat(fault);
        }

        TimeSpan? untilNext = fault.Spec.Every is { } every ? cluster.Until(_lastTime[fault.Id] + every) : null;
        TimeSpan? untilEnd = fault.Spec.For is { } lasts ? cluster.Until(begins + lasts) : null;
        return untilNext is null || untilEnd < untilNext ? untilEnd : untilNext;
    }

    private TimeSpan? End(RunningFault fault)
    {
        effects.End(fault);
        return Set(fault, "over");
    }

    private TimeSpan? Set(RunningFault fault, string state)
    {
        _faults[fault.Id] = fault with { State = state };
        return null;
    }

    private void Happened(FaultStart what, Action<ObjectKey> wake)
    {
        _happened.TryAdd(what, cluster.Now);
        foreach (var key in Keys())
        {
            wake(key);
        }
    }

    private List<ObjectKey> Keys() => [.. _faults.Values.Where(each => each.State != "over").OrderBy(each => each.Id).Select(each => Key(each.Id))];
}
