using System.Collections.Concurrent;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>What workers hold and have not answered, and whether the endpoint still hands out work.</summary>
internal sealed class Deliveries : IDisposable
{
    private readonly ConcurrentDictionary<string, WorkItemStream> _tokens = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _ended = new();
    private TaskCompletionSource? _empty;

    /// <summary>From here on no work is handed out; streams stay open for what is out.</summary>
    public CancellationToken Draining => _draining.Token;

    /// <summary>From here on streams end.</summary>
    public CancellationToken Ended => _ended.Token;

    public void Add(string token, WorkItemStream stream) => _tokens.TryAdd(token, stream);

    /// <summary>A stream has ended: its hub takes care of what it held.</summary>
    public void Forget(WorkItemStream stream)
    {
        foreach (var (token, _) in _tokens.Where(entry => entry.Value == stream))
        {
            Remove(token);
        }
    }

    public void Remove(string token)
    {
        if (_tokens.TryRemove(token, out _) && _tokens.IsEmpty)
        {
            Volatile.Read(ref _empty)?.TrySetResult();
        }
    }

    /// <summary>Hands out nothing more, waits for what is out, but not longer than so long, and ends the streams.</summary>
    /// <returns>How many items were not answered; their hub hands them out again.</returns>
    public async Task<int> DrainAsync(TimeSpan timeout, TimeProvider clock)
    {
        var empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _empty, empty);
        await _draining.CancelAsync();
        if (!_tokens.IsEmpty)
        {
            await Task.WhenAny(empty.Task, Task.Delay(timeout, clock, CancellationToken.None));
        }

        await _ended.CancelAsync();
        return _tokens.Count;
    }

    public void Dispose()
    {
        _draining.Dispose();
        _ended.Dispose();
    }
}
