namespace Drydock.DurableTask.Abstractions;

/// <summary>Order among versions.</summary>
public static class TaskOrchestrationVersioningUtils
{
    /// <summary>
    /// Less than, equal to or greater than zero as the source version is older, equal or newer: blank is the oldest, numbers with dots
    /// compare as such, everything else as text without case.
    /// </summary>
    public static int CompareVersions(string sourceVersion, string otherVersion)
    {
        var sourceBlank = string.IsNullOrWhiteSpace(sourceVersion);
        var otherBlank = string.IsNullOrWhiteSpace(otherVersion);
        if (sourceBlank || otherBlank)
        {
            return otherBlank.CompareTo(sourceBlank);
        }

        return System.Version.TryParse(sourceVersion, out var source) && System.Version.TryParse(otherVersion, out var other)
            ? source.CompareTo(other)
            : string.Compare(sourceVersion, otherVersion, StringComparison.OrdinalIgnoreCase);
    }
}
