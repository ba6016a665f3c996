namespace Drydock.DurableTask;

/// <summary>The name under which an orchestrator, an activity or an entity is registered; compares without case.</summary>
public readonly struct TaskName : IEquatable<TaskName>
{
    private readonly string? _name;

    /// <summary>Names a task; null gives the default, empty name.</summary>
    public TaskName(string name) => _name = name;

    /// <summary>The name as it was written.</summary>
    public string Name => _name ?? string.Empty;

    /// <summary>Always empty: versions are given by <see cref="TaskVersion"/>.</summary>
    [Obsolete("Versions are given by TaskVersion; this property is always empty.")]
    public string Version => string.Empty;

    /// <summary>Names a task by a string.</summary>
    public static implicit operator TaskName(string value) => new(value);

    /// <summary>Gives the string.</summary>
    public static implicit operator string(TaskName value) => value.Name;

    /// <summary>Whether both name the same task.</summary>
    public static bool operator ==(TaskName a, TaskName b) => a.Equals(b);

    /// <summary>Whether they name different tasks.</summary>
    public static bool operator !=(TaskName a, TaskName b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(TaskName other) => string.Equals(Name, other.Name, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TaskName other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.OrdinalIgnoreCase.GetHashCode(Name);

    /// <inheritdoc/>
    public override string ToString() => Name;
}
