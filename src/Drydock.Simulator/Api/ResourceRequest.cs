namespace Drydock.Simulator.Api;

/// <summary>What a request to a resource path asks for, before anybody knows whether the resource exists.</summary>
internal sealed record ResourceRequest(
    string Verb, string Group, string Version, string? Namespace, string Resource, string? Name, string? Subresource)
{
    public string GroupResource => Group.Length == 0 ? Resource : $"{Resource}.{Group}";

    /// <summary>Reads a path such as <c>/apis/GROUP/VERSION/namespaces/NS/RESOURCE/NAME/SUBRESOURCE</c>.</summary>
    /// <returns>Null if the path is none of a resource.</returns>
    public static ResourceRequest? Parse(ApiRequest request)
    {
        var parts = request.Path.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        var (group, version, rest) = parts switch
        {
            ["api", var v, .. var r] => ("", v, r),
            ["apis", var g, var v, .. var r] => (g, v, r),
            _ => ("", "", []),
        };
        if (rest.Length == 0)
        {
            return null;
        }

        var oldWatchPath = rest[0] == "watch";
        if (oldWatchPath)
        {
            rest = rest[1..];
        }

        string? @namespace = null;
        if (rest is ["namespaces", var ns, var next, ..] && next is not ("status" or "finalize"))
        {
            (@namespace, rest) = (ns, rest[2..]);
        }

        if (rest.Length == 0)
        {
            return null;
        }

        // On the path of one object "watch=true" is ignored, unless it is the old watch path.
        var watch = oldWatchPath || (request.IsTrue("watch") && rest.Length == 1);
        var name = rest.Length > 1 ? rest[1] : null;
        var subresource = rest.Length > 2 ? string.Join('/', rest[2..]) : null;

        return new ResourceRequest(VerbOf(request.Method, name, watch), group, version, @namespace, rest[0], name, subresource);
    }

    private static string VerbOf(string method, string? name, bool watch) => method switch
    {
        "GET" or "HEAD" when watch => "watch",
        "GET" or "HEAD" => name is null ? "list" : "get",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => name is null ? "deletecollection" : "delete",
        _ => method.ToLowerInvariant(),
    };
}
