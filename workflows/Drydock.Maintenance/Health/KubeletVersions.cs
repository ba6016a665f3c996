namespace Drydock.Maintenance;

/// <summary>Versions as kubelets report them: <c>v1.36.2</c>, <c>v1.36.2+rke2r1</c>, <c>v1.36.2-gke.100</c>.</summary>
public static class KubeletVersions
{
    /// <summary>What a person may ask for, for messages.</summary>
    public const string Allowed = "a version such as v1.36.0";

    /// <summary>Whether the text is a version.</summary>
    public static bool IsVersion(string? text) => Parse(text) is not null;

    /// <summary>Whether the first is at least the second; what follows the three numbers is the vendor's and counts for nothing.</summary>
    public static bool IsAtLeast(string? version, string least) => Parse(version) is { } have && Parse(least) is { } want && have >= want;

    private static Version? Parse(string? text)
    {
        var numbers = (text ?? "").TrimStart('v').Split('+', '-')[0].Split('.');
        return numbers.Length is 2 or 3 && numbers.All(number => int.TryParse(number, out var value) && value >= 0)
            ? new Version(int.Parse(numbers[0]), int.Parse(numbers[1]), numbers.Length == 3 ? int.Parse(numbers[2]) : 0)
            : null;
    }
}
