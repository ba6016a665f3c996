using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>GET of one object and of lists.</summary>
internal sealed class Reads(IObjectStore store, Rendering rendering)
{
    public ApiAnswer Get(ApiRequest request, ResourceRequest path, ServedType served)
    {
        var found = store.Find(served.Type, path.Namespace, path.Name!) ?? throw Refusals.NotFound(served.Type, path.Name!);

        return rendering.Object(request, served, found);
    }

    public ApiAnswer List(ApiRequest request, ResourceRequest path, ServedType served)
    {
        var options = ListOptions.Parse(request, watch: false);
        var selectors = Selectors.Parse(served.Type, path, request["labelSelector"], request["fieldSelector"]);
        var (all, version, after) = Source(served.Type, path, options, selectors);

        var page = new List<StoredObject>();
        var more = false;
        var rest = After(all, after);
        foreach (var item in rest.Where(selectors.Matches))
        {
            if (options.Limit > 0 && page.Count == options.Limit)
            {
                more = true;
                break;
            }

            page.Add(item);
        }

        var metadata = new JsonObject { ["resourceVersion"] = version.ToString() };
        if (served.Type.IsCustom)
        {
            metadata["continue"] = "";
        }

        if (more)
        {
            metadata["continue"] = new PageToken(version, KeyOf(page[^1])).ToString();
            if (selectors.IsEmpty)
            {
                metadata["remainingItemCount"] = rest.Count - page.Count;
            }
        }

        return rendering.List(request, served, metadata, page);
    }

    private (IReadOnlyList<StoredObject> Items, long Version, string After) Source(
        ResourceType type, ResourceRequest path, ListOptions options, Selectors selectors)
    {
        if (options.Continue.Length > 0)
        {
            return Continued(type, path, PageToken.Parse(options.Continue));
        }

        var asked = options.Version(watch: false);
        if (asked > store.ResourceVersion)
        {
            throw TooLarge(asked.Value);
        }

        var exact = asked > 0 && (options.Match == "Exact" || (options.Match.Length == 0 && options.Limit > 0));
        if (exact)
        {
            return (store.ListAt(type, path.Namespace, asked!.Value), asked.Value, "");
        }

        var (items, version) = store.Snapshot(type, path.Namespace);
        var indexed = type.Equals(ResourceTypes.Pods) ? selectors.IndexTerm : null;

        return indexed is null
            ? (items, version, "")
            : ([.. store.Indexed(type, indexed).Where(p => path.Namespace is null || p.Namespace == path.Namespace)], version, "");
    }

    private (IReadOnlyList<StoredObject> Items, long Version, string After) Continued(ResourceType type, ResourceRequest path, PageToken token)
    {
        // A token without a version is one handed out with a 410: it goes on with whatever there is now.
        if (token.Version < 0)
        {
            var (items, version) = store.Snapshot(type, path.Namespace);

            return (items, version, token.After);
        }

        try
        {
            return (store.ListAt(type, path.Namespace, token.Version), token.Version, token.After);
        }
        catch (ApiException refusal) when (refusal.Code == 410)
        {
            throw new ApiException(410, "Expired", "The provided continue parameter is too old to display a consistent list result. "
                + "You can start a new list without the continue parameter, or use the continue token in this response to retrieve the "
                + "remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were "
                + "created, modified, or deleted between the time the first chunk was returned and now may show up in the list.")
            {
                ListMetadata = new JsonObject { ["continue"] = new PageToken(-1, token.After).ToString() },
            };
        }
    }

    private ApiException TooLarge(long asked) =>
        new(504, "Timeout", $"Timeout: Too large resource version: {asked}, current: {store.ResourceVersion}")
        {
            RetryAfterSeconds = 1,
            Details = new JsonObject
            {
                ["causes"] = new JsonArray(new JsonObject
                {
                    ["reason"] = "ResourceVersionTooLarge",
                    ["message"] = "Too large resource version",
                }),
                ["retryAfterSeconds"] = 1,
            },
        };

    private static string KeyOf(StoredObject stored) => $"{stored.Namespace}/{stored.Name}";

    private static IReadOnlyList<StoredObject> After(IReadOnlyList<StoredObject> items, string after)
    {
        if (after.Length == 0)
        {
            return items;
        }

        var slash = after.IndexOf('/');

        return ((ObjectList)items).After(after[..slash], after[(slash + 1)..]);
    }
}
