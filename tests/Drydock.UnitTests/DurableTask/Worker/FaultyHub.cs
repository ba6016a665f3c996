using System.Collections.Concurrent;
using System.Reflection;
using Drydock.DurableTask;
using Grpc.Core;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>A hub in front of a real one, some of whose calls fail, before or after they had their effect.</summary>
public class FaultyHub : DispatchProxy
{
    private readonly ConcurrentDictionary<string, ConcurrentQueue<Fault>> _faults = new();
    private readonly ConcurrentDictionary<string, int> _calls = new();
    private ITaskHub? _hub;

    public static (ITaskHub Hub, FaultyHub Faults) Around(ITaskHub hub)
    {
        var proxy = Create<ITaskHub, FaultyHub>();
        var faults = (FaultyHub)(object)proxy;
        faults._hub = hub;
        return (proxy, faults);
    }

    /// <summary>The next call of that method fails.</summary>
    public void Fail(string method, StatusCode status, bool afterEffect = false) =>
        _faults.GetOrAdd(method, _ => new()).Enqueue(new Fault(status, afterEffect));

    /// <summary>How often a method was called.</summary>
    public int Calls(string method) => _calls.GetValueOrDefault(method);

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        var name = targetMethod!.Name;
        _calls.AddOrUpdate(name, 1, (_, count) => count + 1);
        if (!_faults.TryGetValue(name, out var queue) || !queue.TryDequeue(out var fault))
        {
            return targetMethod.Invoke(_hub, args);
        }

        var exception = new TaskHubException(fault.Status, $"{name} was made to fail.");
        return fault.AfterEffect ? FailAfterAsync((Task)targetMethod.Invoke(_hub, args)!, exception) : throw exception;
    }

    private static async Task FailAfterAsync(Task call, Exception exception)
    {
        await call;
        throw exception;
    }

    private sealed record Fault(StatusCode Status, bool AfterEffect);
}
