namespace Drydock.DurableTask;

/// <summary>The version of an orchestrator or an activity; compares without case, and empty means unversioned.</summary>
public readonly struct TaskVersion : IEquatable<TaskVersion>
{
    /// <summary>No version.</summary>
    public static readonly TaskVersion Unversioned;

    private readonly string? _version;

    /// <summary>Makes a version of a string; null and empty mean unversioned.</summary>
    public TaskVersion(string? version) => _version = version;

    /// <summary>The version as it was written, empty if there is none.</summary>
    public string Version => _version ?? string.Empty;

    /// <summary>Makes a version of a string.</summary>
    public static implicit operator TaskVersion(string? value) => new(value);

    /// <summary>Gives the string.</summary>
    public static implicit operator string(TaskVersion value) => value.Version;

    /// <summary>Whether both are the same version.</summary>
    public static bool operator ==(TaskVersion a, TaskVersion b) => a.Equals(b);

    /// <summary>Whether they are different versions.</summary>
    public static bool operator !=(TaskVersion a, TaskVersion b) => !a.Equals(b);

    /// <inheritdoc/>
    public bool Equals(TaskVersion other) => string.Equals(Version, other.Version, StringComparison.OrdinalIgnoreCase);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TaskVersion other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => StringComparer.OrdinalIgnoreCase.GetHashCode(Version);

    /// <inheritdoc/>
    public override string ToString() => Version;
}
