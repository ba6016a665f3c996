namespace Drydock.Maintenance;

/// <summary>The task hub did not do what an activity asked it for: its database is away, or its disk is full. Another try may help.</summary>
public sealed class HubAwayException(string message, Exception innerException) : Exception(message, innerException);

/// <summary>Calls of the task hub from an activity.</summary>
internal static class HubCalls
{
    /// <summary>Makes the call.</summary>
    /// <exception cref="HubAwayException">The hub refused; the activity is tried again.</exception>
    public static async Task DoAsync(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (Exception refusal) when (refusal is not (OrchestrationAlreadyExistsException or OperationCanceledException))
        {
            throw new HubAwayException($"The task hub did not do it: {refusal.Message}", refusal);
        }
    }
}
