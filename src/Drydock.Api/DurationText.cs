using System.Globalization;
using System.Text;
using System.Xml;

namespace Drydock.Api;

/// <summary>Durations as people write them: <c>90s</c>, <c>10m</c>, <c>1h30m</c>, <c>2d</c>, or ISO 8601 such as <c>PT10M</c>.</summary>
public static class DurationText
{
    /// <summary>What is accepted, for messages.</summary>
    public const string Allowed = "a duration such as 90s, 10m, 1h30m, 2d or PT10M";

    /// <summary>Reads a duration; false if the text is none, is negative, or is longer than a year.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (string.IsNullOrWhiteSpace(text))
        {
            return false;
        }

        var parsed = text[0] is 'P' or 'p' ? TryParseIso(text, out duration) : TryParseUnits(text, out duration);
        return parsed && duration >= TimeSpan.Zero && duration <= TimeSpan.FromDays(366);
    }

    /// <summary>Writes a duration in the short form, such as <c>1h30m</c>; fractions of a second are dropped.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration < TimeSpan.FromSeconds(1))
        {
            return "0s";
        }

        var text = new StringBuilder();
        Append(duration.Days, 'd');
        Append(duration.Hours, 'h');
        Append(duration.Minutes, 'm');
        Append(duration.Seconds, 's');
        return text.ToString();

        void Append(int amount, char unit)
        {
            if (amount > 0)
            {
                text.Append(CultureInfo.InvariantCulture, $"{amount}{unit}");
            }
        }
    }

    private static bool TryParseIso(string text, out TimeSpan duration)
    {
        try
        {
            duration = XmlConvert.ToTimeSpan(text.ToUpperInvariant());
            return true;
        }
        catch (Exception error) when (error is FormatException or OverflowException)
        {
            duration = TimeSpan.Zero;
            return false;
        }
    }

    private static bool TryParseUnits(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text == "0")
        {
            return true;
        }

        var seconds = 0L;
        var previous = long.MaxValue;
        var rest = text.AsSpan();
        while (rest.Length > 0)
        {
            var digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits is < 1 or > 9)
            {
                return false;
            }

            var unit = rest[digits] switch { 'd' => 86_400L, 'h' => 3_600L, 'm' => 60L, 's' => 1L, _ => 0L };

            // Units come once each and from the longest to the shortest: 1h30m is a duration, 30m1h is a typing mistake.
            if (unit == 0 || unit >= previous)
            {
                return false;
            }

            previous = unit;
            seconds += unit * long.Parse(rest[..digits], CultureInfo.InvariantCulture);
            rest = rest[(digits + 1)..];
        }

        duration = TimeSpan.FromSeconds(Math.Min(seconds, 1_000_000_000L));
        return true;
    }
}
