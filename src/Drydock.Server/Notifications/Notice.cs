using System.Text.Json.Serialization;

namespace Drydock.Server.Notifications;

/// <summary>What a notification is about. Serialised by name.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<NoticeKind>))]
public enum NoticeKind
{
    /// <summary>A maintenance has the lease and changes the node from now on.</summary>
    Begun,

    /// <summary>Something is in the way for longer than allowed.</summary>
    Blocked,

    /// <summary>It waits for a person: for an approval, or to be completed.</summary>
    NeedsPerson,

    /// <summary>Somebody suspended or resumed the maintenance.</summary>
    Steered,

    /// <summary>The lease is somebody else's; nothing is changed until it is ours again or a person decides.</summary>
    LeaseLost,

    /// <summary>The maintenance is over and the node is back.</summary>
    Completed,

    /// <summary>The maintenance was refused, failed, or was ended by force.</summary>
    Failed,

    /// <summary>Somebody cancelled the maintenance, and the node is back.</summary>
    Cancelled,

    /// <summary>A rollout takes no new node until somebody says resume.</summary>
    RolloutPaused,

    /// <summary>A rollout is over.</summary>
    RolloutFinished,
}

/// <summary>One message. Persisted: only gains optional members. Never holds a secret.</summary>
/// <param name="Id">The same for every delivery of this message: by it a receiver knows a repetition. Also the id of the instance that delivers it.</param>
/// <param name="Kind">What it is about.</param>
/// <param name="Instance">The maintenance or rollout.</param>
/// <param name="At">When what it tells happened.</param>
/// <param name="Title">One line.</param>
/// <param name="Text">What happened and what a person can do, a few lines.</param>
internal sealed record Notice(string Id, NoticeKind Kind, string Instance, DateTimeOffset At, string Title, string Text)
{
    /// <summary>The beginning of the ids of all instances that deliver messages.</summary>
    public const string IdPrefix = "notice-";

    /// <summary>The node, or null for a rollout.</summary>
    public string? Node { get; init; }

    /// <summary>Where to read more, or null if the server's address is not known.</summary>
    public string? Url { get; init; }

    /// <summary>The id of a message: starting it twice is once. No ':' is in it, which would make it part of another instance.</summary>
    public static string IdOf(string instance, string key) => $"{IdPrefix}{instance.Replace(':', '/')}~{key}";
}

/// <summary>A message and who is to get it.</summary>
/// <param name="Notice">The message.</param>
/// <param name="Targets">Names of targets of the configuration.</param>
internal sealed record NoticeOrder(Notice Notice, IReadOnlyList<string> Targets);

/// <summary>One delivery that is to be made.</summary>
internal sealed record NoticeDelivery(Notice Notice, string Target);

/// <summary>What came of a delivery.</summary>
/// <param name="Target">Who should get it.</param>
/// <param name="IsDelivered">The other side accepted it.</param>
/// <param name="Message">Why not, or null.</param>
internal sealed record NoticeDelivered(string Target, bool IsDelivered, string? Message = null);
