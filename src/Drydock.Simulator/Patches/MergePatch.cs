using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Patches;

/// <summary>RFC 7386.</summary>
internal sealed class MergePatch(JsonObject patch) : Patch
{
    public override JsonObject Apply(JsonObject target, string? subresource)
    {
        Merge(target, patch);

        return target;
    }

    private static void Merge(JsonObject target, JsonObject patch)
    {
        foreach (var (name, value) in patch)
        {
            switch (value)
            {
                case null:
                    target.Remove(name);
                    break;
                case JsonObject child:
                    if (target[name] is not JsonObject existing)
                    {
                        target[name] = existing = [];
                    }

                    Merge(existing, child);
                    break;
                default:
                    target[name] = value.CopyNode();
                    break;
            }
        }
    }
}
