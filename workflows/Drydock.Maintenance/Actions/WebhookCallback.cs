namespace Drydock.Maintenance;

/// <summary>Payload of <see cref="ActionEvents.Callback"/>: the other side says how it went.</summary>
/// <param name="IsSuccess">It did what it should.</param>
/// <param name="Message">One sentence, or null.</param>
public sealed record WebhookCallback(bool IsSuccess, string? Message = null);
