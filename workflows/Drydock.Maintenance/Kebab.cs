using System.Text;

namespace Drydock.Maintenance;

/// <summary>Names of enum members as they stand in findings, blockers and histories: <c>BudgetExhausted</c> is <c>budget-exhausted</c>.</summary>
internal static class Kebab
{
    public static string Of(string name)
    {
        var text = new StringBuilder(name.Length + 4);
        foreach (var letter in name)
        {
            if (char.IsUpper(letter) && text.Length > 0)
            {
                text.Append('-');
            }

            text.Append(char.ToLowerInvariant(letter));
        }

        return text.ToString();
    }
}
