using System.Globalization;
using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>Pages of a list: <c>limit</c> and <c>after</c>.</summary>
internal static class Paging
{
    private const int Default = 50;
    private const int Most = 500;

    /// <summary>What a limit may be.</summary>
    public static readonly string LimitAllowed = $"1 to {Most}";

    /// <summary>The page that is asked for, and the key to pass as <c>after</c> for the next; or what is wrong with the query.</summary>
    /// <param name="all">All items in order.</param>
    /// <param name="key">What names an item.</param>
    /// <param name="limit">How many, as it was sent.</param>
    /// <param name="after">The key of the last item of the page before.</param>
    /// <param name="isBehind">
    /// Of a key whose item is gone by now, or not in the list any more: which items come behind it; null: it is no key.
    /// </param>
    public static (IReadOnlyList<T> Items, string? Next, Problem? Problem) Page<T>(
        IReadOnlyList<T> all, Func<T, string> key, string? limit, string? after, Func<string, Func<T, bool>?> isBehind)
    {
        var reader = new FieldReader();
        if (!TryReadLimit(limit, out var size))
        {
            reader.Fail("limit", limit, LimitAllowed);
        }

        var from = after is null ? 0 : IndexOf(all, item => key(item) == after) + 1;
        if (from == 0 && after is not null)
        {
            if (isBehind(after) is { } behind)
            {
                from = IndexOf(all, behind) is >= 0 and var index ? index : all.Count;
            }
            else
            {
                reader.Fail("after", after, "the 'next' of the page before");
            }
        }

        if (reader.Errors.Count > 0)
        {
            return ([], null, Problems.Invalid(reader.Errors));
        }

        var items = all.Skip(from).Take(size).ToList();
        return (items, from + items.Count < all.Count ? key(items[^1]) : null, null);
    }

    /// <summary>Items in the order of their keys, which are one text, or several with slashes between.</summary>
    public static Func<string, Func<T, bool>?> ByKey<T>(Func<T, string> key) => after => item => Compare(key(item), after) > 0;

    /// <summary>Reads how many items a page has.</summary>
    public static bool TryReadLimit(string? limit, out int size)
    {
        size = Default;
        return limit is null || (int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size is >= 1 and <= Most);
    }

    // Part by part: a slash is no letter, and does not come where its code would put it.
    private static int Compare(string one, string other)
    {
        var (first, second) = (one.Split('/'), other.Split('/'));
        for (var part = 0; part < Math.Min(first.Length, second.Length); part++)
        {
            if (string.CompareOrdinal(first[part], second[part]) is not 0 and var order)
            {
                return order;
            }
        }

        return first.Length.CompareTo(second.Length);
    }

    private static int IndexOf<T>(IReadOnlyList<T> all, Func<T, bool> isIt)
    {
        for (var index = 0; index < all.Count; index++)
        {
            if (isIt(all[index]))
            {
                return index;
            }
        }

        return -1;
    }
}
