using Drydock.Api;
using Drydock.Kubernetes;

namespace Drydock.Server;

/// <summary>Reads the fields of a request and gathers everything that is wrong with them.</summary>
internal sealed class FieldReader
{
    private const int LongestReason = 1024;

    private readonly List<FieldError> _errors = [];

    /// <summary>All that is wrong so far.</summary>
    public IReadOnlyList<FieldError> Errors => _errors;

    public void Fail(string field, string? value, string allowed) => _errors.Add(new FieldError(field, Shorten(value), allowed));

    public TimeSpan Duration(string field, string? text, TimeSpan otherwise, TimeSpan min, TimeSpan max) =>
        OptionalDuration(field, text, min, max) ?? otherwise;

    public TimeSpan? OptionalDuration(string field, string? text, TimeSpan min, TimeSpan max)
    {
        if (text is null)
        {
            return null;
        }

        if (DurationText.TryParse(text, out var duration) && duration >= min && duration <= max)
        {
            return duration;
        }

        Fail(field, text, $"{DurationText.Allowed}, from {DurationText.Format(min)} to {DurationText.Format(max)}");
        return null;
    }

    /// <summary>One of the given names, in any case.</summary>
    public T Choice<T>(string field, string? text, T otherwise, params ReadOnlySpan<T> allowed)
        where T : struct, Enum
    {
        if (text is null)
        {
            return otherwise;
        }

        foreach (var choice in allowed)
        {
            if (string.Equals(choice.ToString(), text, StringComparison.OrdinalIgnoreCase))
            {
                return choice;
            }
        }

        Fail(field, text, string.Join(", ", allowed.ToArray()));
        return otherwise;
    }

    /// <summary>True or false, or null if nothing is said.</summary>
    public bool? Flag(string field, string? text)
    {
        if (text is null || bool.TryParse(text, out _))
        {
            return text is null ? null : bool.Parse(text);
        }

        Fail(field, text, "true or false");
        return null;
    }

    public int Number(string field, int? number, int otherwise, int min, int max)
    {
        if (number is not { } value)
        {
            return otherwise;
        }

        if (value < min || value > max)
        {
            Fail(field, value.ToString(), $"{min} to {max}");
            return otherwise;
        }

        return value;
    }

    public string? Text(string field, string? text, int longest)
    {
        if (text is not null && (text.Length > longest || text.Any(char.IsControl)))
        {
            Fail(field, text, $"at most {longest} characters, no control characters");
            return null;
        }

        return string.IsNullOrWhiteSpace(text) ? null : text.Trim();
    }

    /// <summary>Why somebody asks for something, in his words.</summary>
    public string? Reason(string field, string? text) => Text(field, text, LongestReason);

    /// <summary>A label selector as kubectl takes it.</summary>
    public string? Selector(string field, string? text)
    {
        if (text is not null && LabelSelector.Parse(text) is null)
        {
            Fail(field, text, "a label selector such as app=web,tier in (a,b),!canary");
            return null;
        }

        return text;
    }

    /// <summary>A name as Kubernetes gives to nodes (RFC 1123 subdomain).</summary>
    public string NodeName(string field, string? name)
    {
        if (name is null || !KubernetesName.IsSubdomain(name))
        {
            Fail(field, name, "the name of a node: lower-case letters, digits, '-' and '.', at most 253 characters");
            return "";
        }

        return name;
    }

    private static string? Shorten(string? value) => value is { Length: > 200 } ? value[..200] + "…" : value;
}

/// <summary>The grammar of Kubernetes names.</summary>
internal static class KubernetesName
{
    /// <summary>RFC 1123 subdomain: labels joined by dots, 253 characters at the most.</summary>
    public static bool IsSubdomain(string name) => name.Length is > 0 and <= 253 && name.Split('.').All(IsLabelPart);

    /// <summary>RFC 1123 label: 63 characters at the most.</summary>
    public static bool IsLabel(string name) => name.Length <= 63 && IsLabelPart(name);

    private static bool IsLabelPart(string part) =>
        part.Length > 0 && part[0] != '-' && part[^1] != '-' && part.All(static c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');
}
