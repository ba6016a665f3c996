namespace Drydock.DurableTask;

/// <summary>
/// On replay the orchestrator did something else than history says it did: its code was changed, or it depends on something that is
/// not in its history. The instance fails.
/// </summary>
public sealed class NonDeterministicOrchestrationException(
    string message, string orchestrator, string instanceId, int step, string history, string code)
    : Exception($"Non-Deterministic workflow detected: {message} "
        + $"[orchestrator '{orchestrator}', instance '{instanceId}', step {step}: history says that {history}; the code {code}]")
{
    /// <summary>The orchestrator.</summary>
    public string Orchestrator { get; } = orchestrator;

    /// <summary>The instance.</summary>
    public string InstanceId { get; } = instanceId;

    /// <summary>The number of the step, from 0.</summary>
    public int Step { get; } = step;

    /// <summary>What history says.</summary>
    public string History { get; } = history;

    /// <summary>What the code did.</summary>
    public string Code { get; } = code;
}
