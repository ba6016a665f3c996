using System.Text;

namespace Drydock.Maintenance;

/// <summary>Durations in sentences for people, <c>8s</c>, <c>2m30s</c>, <c>1d4h</c>, and numbers of things.</summary>
internal static class Spoken
{
    /// <summary><c>1 pod is</c>, <c>3 pods are</c>.</summary>
    public static string Count(int number, string one, string many) => $"{number} {(number == 1 ? one : many)}";

    public static string Of(TimeSpan duration)
    {
        if (duration < TimeSpan.FromSeconds(1))
        {
            return duration > TimeSpan.Zero ? $"{(int)Math.Ceiling(duration.TotalMilliseconds)}ms" : "0s";
        }

        var text = new StringBuilder();
        foreach (var (amount, unit) in new[] { (duration.Days, 'd'), (duration.Hours, 'h'), (duration.Minutes, 'm'), (duration.Seconds, 's') })
        {
            if (amount > 0)
            {
                text.Append(amount).Append(unit);
            }
        }

        return text.ToString();
    }
}
