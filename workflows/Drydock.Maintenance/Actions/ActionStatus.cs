namespace Drydock.Maintenance;

/// <summary>The custom status of an action.</summary>
/// <param name="Message">One sentence on what it is doing.</param>
/// <param name="Deadline">When that must be over, or null.</param>
public sealed record ActionStatus(string Message, DateTimeOffset? Deadline)
{
    /// <summary>Webhook: the mounted file with the key a call-back is signed with, while one is waited for.</summary>
    public string? CallbackSecretFile { get; init; }
}
