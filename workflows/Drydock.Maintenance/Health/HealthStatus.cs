namespace Drydock.Maintenance;

/// <summary>The custom status of a health gate.</summary>
/// <param name="Message">One sentence.</param>
/// <param name="Failing">The checks that fail, with what they saw, one sentence each.</param>
public sealed record HealthStatus(string Message, IReadOnlyList<string> Failing);
