using System.Text;

namespace Drydock.Cli.Output;

/// <summary>Rows of text in aligned columns; the last column runs free.</summary>
internal static class Columns
{
    /// <summary>The rows as lines, each behind the indent; empty cells at the end leave no trailing blanks.</summary>
    public static IEnumerable<string> Align(string indent, IReadOnlyList<string[]> rows)
    {
        if (rows.Count == 0)
        {
            yield break;
        }

        var widths = new int[rows.Max(row => row.Length)];
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length; i++)
            {
                widths[i] = Math.Max(widths[i], row[i].Length);
            }
        }

        foreach (var row in rows)
        {
            var line = new StringBuilder(indent);
            for (var i = 0; i < row.Length; i++)
            {
                line.Append(i + 1 < row.Length ? row[i].PadRight(widths[i] + 2) : row[i]);
            }

            yield return line.ToString().TrimEnd();
        }
    }
}
