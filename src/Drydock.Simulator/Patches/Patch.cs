using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Patches;

/// <summary>One patch of any of the four kinds.</summary>
internal abstract class Patch
{
    /// <summary>Whether it creates an object that is not there: server-side apply does.</summary>
    public virtual bool MayCreate => false;

    /// <summary>How a complaint about the patched object quotes the patch.</summary>
    public virtual string Quote(JsonObject patched) => Wire.Text(patched);

    /// <summary>The object after the patch; may change the one given.</summary>
    public abstract JsonObject Apply(JsonObject target, string? subresource);

    public static Patch Read(ApiRequest request, ResourceType type)
    {
        var text = Encoding.UTF8.GetString(request.Body);
        switch (request.ContentType.Split(';')[0].Trim())
        {
            case "application/json-patch+json":
                return new JsonPatch(Parse(text, "error decoding patch: ") as JsonArray
                    ?? throw Refusals.BadRequest("error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"));
            case "application/merge-patch+json":
                return new MergePatch(Parse(text, "error decoding patch: ") as JsonObject
                    ?? throw Refusals.BadRequest("error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"));
            case "application/strategic-merge-patch+json" when !type.IsCustom:
                return new StrategicMergePatch(Parse(text, "") as JsonObject
                    ?? throw Refusals.BadRequest("json: cannot unmarshal array into Go value of type map[string]interface {}"));
            case "application/strategic-merge-patch+json":
                throw new ApiException(415, "UnsupportedMediaType", "the body of the request was in an unknown format - accepted media types "
                    + "include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml");
            case "application/apply-patch+yaml":
                return ServerSideApply.Parse(request, type);
            default:
                throw Unsupported("415: Unsupported Media Type");
        }
    }

    private static ApiException Unsupported(string message) => new(415, "UnsupportedMediaType", message) { Details = [] };

    private static JsonNode? Parse(string text, string prefix)
    {
        try
        {
            return Bodies.Parse(text);
        }
        catch (JsonException)
        {
            throw Refusals.BadRequest(prefix + Bodies.GoComplaint(text));
        }
    }
}
