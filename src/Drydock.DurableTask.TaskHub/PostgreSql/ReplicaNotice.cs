using System.Text.Json;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>What one process of a hub tells the others, in the transaction that makes it true.</summary>
/// <param name="From">The process.</param>
/// <param name="Changed">The instances that changed; null: so many that anything may have.</param>
/// <param name="Work">Something is ready that this process does not take.</param>
/// <param name="Lost">The fencing tokens of activities whose result nobody waits for any more.</param>
/// <param name="Message">Something that is not the hub's own.</param>
internal sealed record ReplicaNotice(long From, IReadOnlyList<string>? Changed, bool Work, IReadOnlyList<long> Lost, string? Message = null)
{
    // PostgreSQL takes less than 8000 bytes.
    private const int Largest = 7900;

    public string Write()
    {
        var text = JsonSerializer.Serialize(this);
        return System.Text.Encoding.UTF8.GetByteCount(text) < Largest ? text : JsonSerializer.Serialize(this with { Changed = null });
    }

    /// <summary>Null if it is not one, which only somebody else can have sent.</summary>
    public static ReplicaNotice? Read(string text)
    {
        try
        {
            return JsonSerializer.Deserialize<ReplicaNotice>(text);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
