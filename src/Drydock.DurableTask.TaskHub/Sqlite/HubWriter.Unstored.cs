using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>Messages that have no row yet: one that a turn consumes in the very transaction in which it arrived never gets one.</summary>
internal sealed partial class HubWriter
{
    private readonly Dictionary<long, List<Unstored>> _unstored = [];

    private void Keep(Unstored message)
    {
        if (!_unstored.TryGetValue(message.Key, out var messages))
        {
            _unstored[message.Key] = messages = [];
        }

        messages.Add(message);
    }

    /// <summary>True if the message had no row, and now never gets one.</summary>
    private bool Forget(long key, long seq)
    {
        // A turn consumes them in the order in which they came, so it is the first one.
        if (!_unstored.TryGetValue(key, out var messages) || messages.FindIndex(message => message.Seq == seq) is not (>= 0 and var at))
        {
            return false;
        }

        messages.RemoveAt(at);
        if (messages.Count == 0)
        {
            _unstored.Remove(key);
        }

        return true;
    }

    /// <summary>Writes those of one instance, for what works on rows.</summary>
    private void Store(long key)
    {
        if (_unstored.Remove(key, out var messages))
        {
            messages.ForEach(Insert);
        }
    }

    /// <summary>Writes all that are left, before the commit.</summary>
    private void StoreAll()
    {
        if (_unstored.Count == 0)
        {
            return;
        }

        foreach (var messages in _unstored.Values)
        {
            messages.ForEach(Insert);
        }

        _unstored.Clear();
        _crashPoints.Hit(CrashPoints.CommitAfterMessages);
    }

    private void Insert(Unstored message)
    {
        Begin();
        _insertMessage
            .Bind(1, message.Key).Bind(2, message.Seq).Bind(3, message.ArrivesAt.Ticks).Bind(4, (long)message.Flags)
            .Bind(5, message.Generation).Bind(6, message.Payload.AsSpan()).Bind(7, message.PayloadKey)
            .Execute();
    }

    private sealed record Unstored(long Key, long Seq, DateTime ArrivesAt, MessageFlags Flags, long? Generation, byte[] Payload, string? PayloadKey);
}
