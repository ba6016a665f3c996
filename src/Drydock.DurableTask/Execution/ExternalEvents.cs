using System.Diagnostics.CodeAnalysis;

namespace Drydock.DurableTask.Execution;

/// <summary>
/// Events from outside: whoever waited last gets the next event of its name; events nobody waits for are kept in order. Names
/// compare without case.
/// </summary>
/// <param name="converter">Reads payloads.</param>
/// <param name="skipCancelled">
/// A cancelled wait does not take an event, and kept events stay in order. False repeats faults of the official SDK, where the event is
/// lost and the order across names too: an execution that began there must replay as it was recorded.
/// </param>
internal sealed class ExternalEvents(DataConverter converter, bool skipCancelled)
{
    private readonly Dictionary<string, LinkedList<Waiter>> _waiters = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, Queue<(long Order, string? Payload)>> _buffer = new(StringComparer.OrdinalIgnoreCase);
    private long _arrived;

    /// <summary>Completes with the next event of that name.</summary>
    /// <exception cref="ArgumentException">Somebody waits for that name with another type.</exception>
    public Task<T> WaitAsync<T>(string name, CancellationToken cancellationToken)
    {
        if (!_waiters.TryGetValue(name, out var stack))
        {
            _waiters.Add(name, stack = new());
        }

        if (stack.First is { Value.Type: { } type } && type != typeof(T))
        {
            throw new ArgumentException(
                "Events with the same name must have the same type argument. "
                + $"Expected {type.FullName} but was requested {typeof(T).FullName}.",
                nameof(name));
        }

        var waiter = new Waiter<T>();
        var node = stack.AddFirst(waiter);
        if (TryTakeBuffered(name, out var payload))
        {
            Raise(name, payload);
        }

        if (cancellationToken.CanBeCanceled)
        {
            cancellationToken.Register(() => Cancel(stack, node, cancellationToken), useSynchronizationContext: true);
        }

        return waiter.Task;
    }

    /// <summary>Hands an event to the last waiter of its name, or keeps it.</summary>
    public void Raise(string name, string? payload)
    {
        if (_waiters.TryGetValue(name, out var stack) && stack.First is { Value: { } waiter })
        {
            stack.RemoveFirst();
            waiter.Deliver(payload, converter);
            return;
        }

        if (!_buffer.TryGetValue(name, out var queue))
        {
            _buffer.Add(name, queue = new());
        }

        queue.Enqueue((_arrived++, payload));
    }

    /// <summary>Takes all kept events, in the order in which they came; the official SDK groups them by name, and histories of it must replay.</summary>
    public IReadOnlyList<(string Name, string? Payload)> TakeBuffered()
    {
        var all = _buffer.SelectMany(static entry => entry.Value.Select(kept => (Name: entry.Key, kept.Order, kept.Payload)));
        List<(string, string?)> taken = [.. (skipCancelled ? all.OrderBy(static kept => kept.Order) : all).Select(static kept => (kept.Name, kept.Payload))];
        _buffer.Clear();
        return taken;
    }

    private void Cancel(LinkedList<Waiter> stack, LinkedListNode<Waiter> node, CancellationToken cancellationToken)
    {
        if (skipCancelled && node.List == stack)
        {
            stack.Remove(node);
        }

        node.Value.Cancel(cancellationToken);
    }

    private bool TryTakeBuffered(string name, [MaybeNullWhen(false)] out string? payload)
    {
        if (!_buffer.TryGetValue(name, out var queue))
        {
            payload = null;
            return false;
        }

        payload = queue.Dequeue().Payload;
        if (queue.Count == 0)
        {
            _buffer.Remove(name);
        }

        return true;
    }

    private abstract class Waiter
    {
        public abstract Type Type { get; }

        public abstract void Deliver(string? payload, DataConverter converter);

        public abstract void Cancel(CancellationToken cancellationToken);
    }

    private sealed class Waiter<T> : Waiter
    {
        private readonly TaskCompletionSource<T> _source = new();

        public override Type Type => typeof(T);

        public Task<T> Task => _source.Task;

        public override void Deliver(string? payload, DataConverter converter)
        {
            if (_source.Task.IsCompleted)
            {
                return;
            }

            T? value;
            try
            {
                value = converter.Deserialize<T>(payload);
            }
            catch (Exception unreadable)
            {
                // The orchestrator decides what an event that it cannot read means.
                _source.TrySetException(unreadable);
                return;
            }

            _source.TrySetResult(value!);
        }

        public override void Cancel(CancellationToken cancellationToken) => _source.TrySetCanceled(cancellationToken);
    }
}
