using Drydock.Api;

namespace Drydock.Cli.Following;

/// <summary>The exit code of a maintenance.</summary>
internal static class Ending
{
    /// <summary>How it ended, for a script.</summary>
    public static int ExitCode(MaintenanceView view) => view.State switch
    {
        MaintenanceState.Completed => ExitCodes.Done,
        MaintenanceState.Refused => ExitCodes.Refused,
        MaintenanceState.Cancelled => ExitCodes.Cancelled,
        _ => ExitCodes.Failed,
    };
}
