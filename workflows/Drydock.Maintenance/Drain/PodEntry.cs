using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;

namespace Drydock.Maintenance.Drain;

/// <summary>One pod that must go, and what was tried; survives the loop's continue-as-new.</summary>
/// <param name="Ns">Namespace.</param>
/// <param name="Name">Name.</param>
/// <param name="Uid">This life of it.</param>
internal sealed record PodEntry(string Ns, string Name, string Uid)
{
    public const string ReleasedCode = "released";

    /// <summary>The object that controls it, as <c>kind/namespace/name</c>, or null.</summary>
    public string? Owner { get; init; }

    /// <summary>How often pods of its owner have come to the node since the drain began, this time among them; 0: it was there before.</summary>
    public int Arrival { get; init; }

    /// <summary>When the first of those came.</summary>
    public DateTimeOffset? ArrivingSince { get; init; }

    /// <summary>The budget that covers it, or null; also if several do.</summary>
    public string? Budget { get; init; }

    /// <summary>Its budget does not count it now: finished, Pending, or unready where that is allowed.</summary>
    public bool IgnoresBudget { get; init; }

    /// <summary>The rule that refuses it; such a pod is not evicted, somebody must act.</summary>
    public string? Denied { get; init; }

    /// <summary>It is not evicted; it is waited for until it has finished.</summary>
    public bool Waits { get; init; }

    /// <summary>It is evicted when those of every lower order are gone.</summary>
    public int Order { get; init; }

    /// <summary>The launcher pod that a virtual machine left behind: counted with the machines, not with the pods.</summary>
    public bool IsLauncher { get; init; }

    /// <summary>A virtual machine runs in it, or has a volume by it; false in what was stored before this was kept.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool IsOfMachine { get; init; }

    /// <summary>When the policy decides about this pod alone, or null.</summary>
    public DateTimeOffset? Deadline { get; init; }

    /// <summary>Evictions sent.</summary>
    public int Attempts { get; init; }

    /// <summary>When one was accepted.</summary>
    public DateTimeOffset? AcceptedAt { get; init; }

    /// <summary>It is on its way out.</summary>
    public bool IsLeaving { get; init; }

    /// <summary>When its deletion was asked for, by whomever.</summary>
    public DateTimeOffset? LeavingSince { get; init; }

    /// <summary>Why it does not go although its grace period is over, or null.</summary>
    public string? Stuck { get; init; }

    /// <summary>It is there and need not go any more.</summary>
    public bool IsReleased { get; init; }

    /// <summary>When it was seen to be gone.</summary>
    public DateTimeOffset? GoneAt { get; init; }

    /// <summary>What holds it, by its stable name.</summary>
    public string? HeldBy { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? HeldSince { get; init; }

    /// <summary>The server's words.</summary>
    public string? Message { get; init; }

    /// <summary>The object to look at.</summary>
    public string? Object { get; init; }

    /// <summary>Not before that.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>Deleted, past every budget, at least once.</summary>
    public bool WasForced { get; init; }

    /// <summary>The server named a time to wait: a budget that frees up does not shorten it.</summary>
    public bool MustWait { get; init; }

    /// <summary>It may be asked to go: nobody has said yes yet, and nothing but an answer of the server is in its way.</summary>
    [JsonIgnore]
    public bool IsOpen => this is { HoldsDrain: true, IsLeaving: false, Denied: null, Waits: false };

    /// <summary>
    /// Force does not delete it: a virtual machine that is waited for would go down past its own ladder, which alone starts it again.
    /// </summary>
    [JsonIgnore]
    public bool IsSpared => this is { Waits: true, IsOfMachine: true };

    /// <summary>The node is not empty while it is there.</summary>
    [JsonIgnore]
    public bool HoldsDrain => this is { GoneAt: null, IsReleased: false };

    /// <summary>
    /// Short text that differs when something about the pod differs that the drain goes by. Part of stored histories: a change of this
    /// text makes each pod be told once more, nothing worse.
    /// </summary>
    [JsonIgnore]
    public string Code => IsReleased ? ReleasedCode
        : IsLeaving ? Stuck is null ? "leaving" : "stuck"
        : Hash($"{Budget}|{IgnoresBudget}|{Denied}|{Waits}|{Order.ToString(CultureInfo.InvariantCulture)}");

    /// <summary>The same pod with what was read of it now.</summary>
    public PodEntry With(PodEntry read) => this with
    {
        Budget = read.Budget,
        IgnoresBudget = read.IgnoresBudget,
        Denied = read.Denied,
        Waits = read.Waits,
        Order = read.Order,
        IsLauncher = read.IsLauncher,
        IsOfMachine = read.IsOfMachine,
        IsReleased = false,
        LeavingSince = read.LeavingSince ?? LeavingSince,
        IsLeaving = IsLeaving || read.IsLeaving,
        Stuck = read.Stuck,
        Message = read.Message ?? (read.IsLeaving || Denied is not null || Waits ? null : Message),
        HeldBy = read.IsLeaving ? null : HeldBy,
        HeldSince = read.IsLeaving || (read.Denied, read.Waits) != (Denied, Waits) ? null : HeldSince,
    };

    // FNV-1a: string.GetHashCode differs from process to process.
    private static string Hash(string text)
    {
        var hash = 2166136261u;
        foreach (var one in Encoding.UTF8.GetBytes(text))
        {
            hash = unchecked((hash ^ one) * 16777619u);
        }

        return hash.ToString("x", CultureInfo.InvariantCulture);
    }
}
