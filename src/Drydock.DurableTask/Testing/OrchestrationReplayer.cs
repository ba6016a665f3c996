using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.DurableTask.Testing;

/// <summary>
/// Gives a stored history to today's code, turn by turn, and tells whether it decides today what it decided then: what an instance that
/// is under way would do if this code were deployed now. Nothing is carried out.
/// </summary>
public sealed class OrchestrationReplayer
{
    private readonly DurableTaskFactory _factory;
    private readonly IServiceProvider _services;
    private readonly DurableTaskWorkerOptions _options;

    /// <summary>A replayer of what is registered.</summary>
    /// <param name="tasks">Registers the orchestrators; activities are not needed.</param>
    /// <param name="services">What orchestrators are created with; null for nothing.</param>
    /// <param name="options">How the worker works; null for the defaults.</param>
    public OrchestrationReplayer(Action<DurableTaskRegistry> tasks, IServiceProvider? services = null, DurableTaskWorkerOptions? options = null)
    {
        var registry = new DurableTaskRegistry();
        tasks(registry);
        _factory = new DurableTaskFactory(registry);
        _services = services ?? new NoServices();
        _options = options ?? new DurableTaskWorkerOptions();
    }

    /// <summary>Replays a history.</summary>
    /// <returns>Null if today's code decides the same; else the first difference, in words.</returns>
    /// <remarks>
    /// Names, kinds, versions, times, instance ids, inputs, events and the end are compared. JSON values are the same if today's has all
    /// that the stored one has: an optional member that was added since is no difference.
    /// </remarks>
    public string? FirstDifference(StoredHistory history)
    {
        using var scope = (_services.GetService(typeof(IServiceScopeFactory)) as IServiceScopeFactory)?.CreateScope();
        var services = scope?.ServiceProvider ?? _services;
        var executor = new OrchestrationExecutor(
            (name, version) => _factory.TryCreateOrchestrator(name, version, services, out var found) ? found : null,
            _options,
            NullLoggerFactory.Instance);
        var comparison = new ReplayComparison(history.Events);
        var number = 0;
        foreach (var turn in Turns(history.Events))
        {
            number++;
            if (executor.IsFinished)
            {
                return $"Turn {number}: today's code had ended already in turn {number - 1}.";
            }

            var (given, decided) = (turn.Where(static e => !ReplayComparison.IsDecision(e)).ToList(), turn.Where(ReplayComparison.IsDecision).ToList());
            OrchestrationTurn today;
            try
            {
                today = executor.Run([], given.Select(static e => e.Clone()));
            }
            catch (InvalidOperationException broken)
            {
                return $"Turn {number}: the history cannot be replayed: {broken.Message}";
            }

            if (comparison.Difference(decided, today.Actions) is { } difference)
            {
                return $"Turn {number}{(turn[0].Timestamp is { } at ? $" ({at.ToDateTime():u})" : "")}: {difference}";
            }
        }

        return null;
    }

    private static List<List<HistoryEvent>> Turns(IReadOnlyList<HistoryEvent> events)
    {
        List<List<HistoryEvent>> turns = [];
        foreach (var item in events)
        {
            if (turns.Count == 0 || item.OrchestratorStarted is not null)
            {
                turns.Add([]);
            }

            turns[^1].Add(item);
        }

        return turns;
    }

    private sealed class NoServices : IServiceProvider
    {
        public object? GetService(Type serviceType) => null;
    }
}
