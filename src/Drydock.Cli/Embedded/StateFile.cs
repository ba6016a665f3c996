using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Embedded;

/// <summary>Where the hub of <c>maintain</c> lies: one file per cluster, by the cluster's identity, never by the name of a kubeconfig.</summary>
internal static class StateFile
{
    /// <summary>The file for a cluster; its folder exists afterwards, readable by its owner only.</summary>
    /// <exception cref="CommandFailedException">The folder cannot be made.</exception>
    public static string For(string clusterUid, Terminal terminal)
    {
        var folder = Path.Combine(
            terminal.Variable("XDG_STATE_HOME")
                ?? Path.Combine(terminal.Variable("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".local", "state"),
            "drydock");
        try
        {
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(folder);
            }
            else
            {
                Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(
                ExitCodes.BadInput, $"The folder {folder} for the state of maintenances cannot be made: {exception.Message}", "Set XDG_STATE_HOME to a folder you may write.", exception);
        }

        return Path.Combine(folder, $"{clusterUid}.db");
    }
}
