using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>GET of one object and of lists.</summary>
internal sealed class Reads(IObjectStore store, Rendering rendering)
{
    public ApiAnswer Get(ApiRequest request, ResourceRequest path, ServedType served)
    {
        var found = store.Get(served.Type, path.Namespace, path.Name!) ?? throw Refusals.NotFound(served.Type, path.Name!);

        return rendering.Object(request, served, found, 200);
    }

    public ApiAnswer List(ApiRequest request, ResourceRequest path, ServedType served)
    {
        var options = ListOptions.Parse(request, watch: false);
        var selectors = Selectors.Parse(served.Type, path, request["labelSelector"], request["fieldSelector"]);
        var (all, version, after) = Source(served.Type, path, options, selectors);

        var matching = selectors.IsEmpty ? all : all.Where(selectors.Matches);
        var page = new List<JsonObject>();
        var more = false;
        foreach (var item in After(matching, after))
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
                metadata["remainingItemCount"] = Remaining(all, page[^1]);
            }
        }

        return rendering.List(request, served, metadata, page);
    }

    private (IReadOnlyList<JsonObject> Items, long Version, string After) Source(
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
        if (selectors.OnNode is { } node && type.Equals(ResourceTypes.Pods))
        {
            items = [.. store.PodsOnNode(node).Where(p => path.Namespace is null || p.NamespaceOf() == path.Namespace)];
        }

        return (items, version, "");
    }

    private (IReadOnlyList<JsonObject> Items, long Version, string After) Continued(ResourceType type, ResourceRequest path, PageToken token)
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

    private static string KeyOf(JsonObject @object) => $"{@object.NamespaceOf()}/{@object.NameOf()}";

    private static IEnumerable<JsonObject> After(IEnumerable<JsonObject> items, string after)
    {
        if (after.Length == 0)
        {
            return items;
        }

        var slash = after.IndexOf('/');
        var (ns, name) = (after[..slash], after[(slash + 1)..]);

        return items.SkipWhile(o => string.CompareOrdinal(o.NamespaceOf() ?? "", ns) is var order
            && (order < 0 || (order == 0 && string.CompareOrdinal(o.NameOf(), name) <= 0)));
    }

    private static int Remaining(IReadOnlyList<JsonObject> all, JsonObject last)
    {
        for (var i = all.Count - 1; i >= 0; i--)
        {
            if (ReferenceEquals(all[i], last))
            {
                return all.Count - 1 - i;
            }
        }

        return 0;
    }
}
