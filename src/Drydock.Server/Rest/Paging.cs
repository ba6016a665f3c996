using System.Globalization;
using Drydock.Api;

namespace Drydock.Server.Rest;

/// <summary>Pages of a list: <c>limit</c> and <c>after</c>.</summary>
internal static class Paging
{
    private const int Default = 50;
    private const int Most = 500;

    /// <summary>The page that is asked for, and the key to pass as <c>after</c> for the next; or what is wrong with the query.</summary>
    /// <param name="all">All items in order.</param>
    /// <param name="key">What names an item.</param>
    /// <param name="limit">How many, as it was sent.</param>
    /// <param name="after">The key of the last item of the page before.</param>
    /// <param name="isByKey">The items are in the order of their keys, so the page begins behind the key also if that item is gone by now.</param>
    public static (IReadOnlyList<T> Items, string? Next, Problem? Problem) Page<T>(
        IReadOnlyList<T> all, Func<T, string> key, string? limit, string? after, bool isByKey = false)
    {
        var reader = new FieldReader();
        if (!TryReadLimit(limit, out var size))
        {
            reader.Fail("limit", limit, $"1 to {Most}");
        }

        var from = 0;
        if (after is not null && isByKey)
        {
            from = all.TakeWhile(item => string.CompareOrdinal(key(item), after) <= 0).Count();
        }
        else if (after is not null && (from = IndexOf(all, key, after) + 1) == 0)
        {
            reader.Fail("after", after, "the 'next' of the page before, as long as the list has that item");
        }

        if (reader.Errors.Count > 0)
        {
            return ([], null, Problems.Invalid(reader.Errors));
        }

        var items = all.Skip(from).Take(size).ToList();
        return (items, from + items.Count < all.Count ? key(items[^1]) : null, null);
    }

    /// <summary>Reads how many items a page has.</summary>
    public static bool TryReadLimit(string? limit, out int size)
    {
        size = Default;
        return limit is null || (int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size is >= 1 and <= Most);
    }

    private static int IndexOf<T>(IReadOnlyList<T> all, Func<T, string> key, string wanted)
    {
        for (var index = 0; index < all.Count; index++)
        {
            if (key(all[index]) == wanted)
            {
                return index;
            }
        }

        return -1;
    }
}
