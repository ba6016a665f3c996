using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>The options of a deletion: of its body, or of its query.</summary>
internal static class DeleteOptions
{
    public static (Deletion Deletion, bool DryRun) Read(ApiRequest request)
    {
        var body = Bodies.Optional(request, "DeleteOptions");
        var fromQuery = new JsonObject();
        if (int.TryParse(request["gracePeriodSeconds"], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var grace))
        {
            fromQuery["gracePeriodSeconds"] = grace;
        }

        if (request["propagationPolicy"] is { Length: > 0 } policy)
        {
            fromQuery["propagationPolicy"] = policy;
        }

        return Read(body ?? fromQuery, request.DryRun);
    }

    /// <summary>The options as an object, such as <c>deleteOptions</c> of an Eviction.</summary>
    public static (Deletion Deletion, bool DryRun) Read(JsonObject? options, bool dryRun)
    {
        var policy = options.Text("propagationPolicy");
        if (policy is not (null or "Foreground" or "Background" or "Orphan"))
        {
            throw Refusals.Invalid("meta.k8s.io", "DeleteOptions", "",
                [FieldError.Unsupported("propagationPolicy", policy, "Foreground", "Background", "Orphan", "nil")]);
        }

        if (options.Flag("orphanDependents"))
        {
            policy = "Orphan";
        }

        var deletion = new Deletion(
            (int?)options.Number("gracePeriodSeconds"),
            policy,
            options.Text("preconditions", "uid"),
            options.Text("preconditions", "resourceVersion"));

        return (deletion, dryRun || options.At("dryRun") is JsonArray { Count: > 0 });
    }
}
