namespace Drydock.DurableTask.TaskHub;

/// <summary>The file or the database of a task hub could not be opened; nothing in it was changed. The message ends with what to do next.</summary>
public sealed class TaskHubOpenException(TaskHubOpenProblem problem, string path, string message, Exception? innerException = null)
    : Exception(message, innerException)
{
    /// <summary>What is wrong with the file.</summary>
    public TaskHubOpenProblem Problem { get; } = problem;

    /// <summary>The file that was to be opened, or where the database is.</summary>
    public string Path { get; } = path;
}

/// <summary>Why a task hub could not be opened.</summary>
public enum TaskHubOpenProblem
{
    /// <summary>Another process has it open.</summary>
    Locked,

    /// <summary>The file is no SQLite database.</summary>
    NotADatabase,

    /// <summary>The file is a SQLite database of something else.</summary>
    NotATaskHub,

    /// <summary>A newer version of this program wrote it.</summary>
    NewerSchema,

    /// <summary>The folder it should be in does not exist.</summary>
    FolderMissing,

    /// <summary>This user may not write it.</summary>
    NotWritable,

    /// <summary>There is no room on the disk.</summary>
    DiskFull,

    /// <summary>The file system does not give what durability needs, or the file is damaged.</summary>
    NotDurable,

    /// <summary>The connection string is not one.</summary>
    BadAddress,

    /// <summary>The server, or the database on it, is not there.</summary>
    Unreachable,

    /// <summary>The server does not let this user in, or not do what is needed.</summary>
    AccessDenied,
}

/// <summary>A task hub was bound to one thing (such as a cluster) and is now used for another.</summary>
public sealed class TaskHubBindingException(string key, string boundTo, string wanted)
    : Exception($"This task hub belongs to {key} '{boundTo}', not to '{wanted}'. Use another task hub for '{wanted}'.")
{
    /// <summary>What kind of thing it is bound to, such as <c>cluster</c>.</summary>
    public string Key { get; } = key;

    /// <summary>What the hub is bound to.</summary>
    public string BoundTo { get; } = boundTo;

    /// <summary>What it was to be used for.</summary>
    public string Wanted { get; } = wanted;
}
