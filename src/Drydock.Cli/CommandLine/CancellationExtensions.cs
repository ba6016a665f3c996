namespace Drydock.Cli.CommandLine;

/// <summary>Waiting for the end.</summary>
internal static class CancellationExtensions
{
    /// <summary>Returns when the token is cancelled; does not throw.</summary>
    public static async Task WhenCancelledAsync(this CancellationToken cancellationToken)
    {
        var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = cancellationToken.Register(cancelled.SetResult);
        await cancelled.Task;
    }
}
