using System.Globalization;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>What a deletion does to an object before, or instead of, its removal.</summary>
internal sealed class DeletionRules(TimeProvider time)
{
    private const string OrphanFinalizer = "orphan";
    private const string ForegroundFinalizer = "foregroundDeletion";

    /// <summary>The object as the deletion leaves it, the very same if nothing changes, and whether it stays.</summary>
    public (JsonObject Marked, bool Stays) Apply(ResourceType type, JsonObject @object, Deletion deletion)
    {
        CheckPreconditions(type, @object, deletion);

        if (type.Equals(ResourceTypes.Namespaces))
        {
            return (Terminate(@object), true);
        }

        var isPod = type.Equals(ResourceTypes.Pods);
        var deleting = @object.Text("metadata", "deletionTimestamp") is not null;
        var pending = @object.Number("metadata", "deletionGracePeriodSeconds") ?? 0;
        if (isPod && deleting && (deletion.GracePeriodSeconds is not { } asked || AtLeastZero(asked) >= pending))
        {
            // Already on its way, and a grace period is never lengthened.
            return (@object, true);
        }

        var marked = @object.Copy();
        var finalizers = deleting ? FinalizersOf(marked) : WithPropagation(type, marked, deletion.PropagationPolicy);
        if (!deleting && type.Equals(ResourceTypes.CustomResourceDefinitions))
        {
            // Its objects go first; who removes them removes this finalizer.
            finalizers = [.. finalizers.Select(f => f.CopyNode()), CustomResource.Finalizer];
            marked.Child("metadata")["finalizers"] = finalizers;
            var conditions = marked.At("status", "conditions") as JsonArray ?? [];
            marked.Child("status")["conditions"] = new JsonArray([.. conditions.Select(c => c.CopyNode()), CustomResource.Terminating(time.GetUtcNow())]);
        }

        if (!isPod && finalizers.Count == 0)
        {
            return (@object, false);
        }

        var grace = isPod ? GraceOf(@object, deletion) : 0;
        Mark(type, marked, grace, deleting);

        return (Json.Same(marked["metadata"], @object["metadata"]) ? @object : marked, grace > 0 || finalizers.Count > 0);
    }

    /// <summary>Whether nothing holds a deleted object any longer.</summary>
    public static bool IsReleased(ResourceType type, JsonObject @object) =>
        @object.Text("metadata", "deletionTimestamp") is not null
        && (@object.Number("metadata", "deletionGracePeriodSeconds") ?? 0) == 0
        && FinalizersOf(@object).Count == 0
        && (!type.Equals(ResourceTypes.Namespaces) || @object.At("spec", "finalizers") is not JsonArray { Count: > 0 });

    private static long AtLeastZero(long grace) => grace < 0 ? 1 : grace;

    private static JsonArray FinalizersOf(JsonObject @object) => @object.At("metadata", "finalizers") as JsonArray ?? [];

    private static long GraceOf(JsonObject pod, Deletion deletion)
    {
        var unbound = pod.Text("spec", "nodeName") is null or "";
        var finished = pod.Text("status", "phase") is "Succeeded" or "Failed";

        return unbound || finished
            ? 0
            : AtLeastZero(deletion.GracePeriodSeconds ?? pod.Number("spec", "terminationGracePeriodSeconds") ?? 30);
    }

    private void Mark(ResourceType type, JsonObject marked, long grace, bool deleting)
    {
        var metadata = marked.Child("metadata");
        var end = deleting
            ? Shortened(metadata, grace)
            : time.GetUtcNow().AddSeconds(grace);
        metadata["deletionTimestamp"] = end.Timestamp();
        if (!type.Equals(ResourceTypes.CustomResourceDefinitions))
        {
            metadata["deletionGracePeriodSeconds"] = grace;
        }

        if (!deleting && type.HasGeneration && !type.Equals(ResourceTypes.CustomResourceDefinitions))
        {
            metadata["generation"] = (metadata.Number("generation") ?? 0) + 1;
        }
    }

    private static DateTimeOffset Shortened(JsonObject metadata, long grace)
    {
        var end = DateTimeOffset.Parse(metadata.Text("deletionTimestamp")!, CultureInfo.InvariantCulture);

        return end.AddSeconds(grace - (metadata.Number("deletionGracePeriodSeconds") ?? 0));
    }

    private JsonObject Terminate(JsonObject @namespace)
    {
        if (@namespace.Text("metadata", "deletionTimestamp") is not null)
        {
            return @namespace;
        }

        var marked = @namespace.Copy();
        marked.Child("metadata")["deletionTimestamp"] = time.GetUtcNow().Timestamp();
        marked.Child("status")["phase"] = "Terminating";

        return marked;
    }

    private static JsonArray WithPropagation(ResourceType type, JsonObject marked, string? policy)
    {
        // Jobs of batch/v1 are the one type whose pods stay unless the request says otherwise.
        policy ??= type.Equals(ResourceTypes.Jobs) ? "Orphan" : null;
        var others = FinalizersOf(marked).Select(f => (string?)f).Where(f => f is not (OrphanFinalizer or ForegroundFinalizer)).ToList();
        if (policy is null)
        {
            return FinalizersOf(marked);
        }

        if (policy is "Orphan")
        {
            others.Add(OrphanFinalizer);
        }
        else if (policy is "Foreground")
        {
            others.Add(ForegroundFinalizer);
        }

        if (others.Count == 0)
        {
            marked.Child("metadata").Remove("finalizers");

            return [];
        }

        var finalizers = new JsonArray([.. others.Select(f => (JsonNode?)f)]);
        marked.Child("metadata")["finalizers"] = finalizers;

        return finalizers;
    }

    private static void CheckPreconditions(ResourceType type, JsonObject @object, Deletion deletion)
    {
        var name = @object.NameOf();
        var byKind = type with { Plural = type.Kind };
        if (deletion.PreconditionUid is { } uid && uid != @object.UidOf())
        {
            throw Refusals.Conflict(byKind, name, $"the UID in the precondition ({uid}) does not match the UID in record "
                + $"({@object.UidOf()}). The object might have been deleted and then recreated");
        }

        if (deletion.PreconditionResourceVersion is { } version && version != @object.VersionOf())
        {
            throw Refusals.Conflict(byKind, name, $"the ResourceVersion in the precondition ({version}) does not match the "
                + $"ResourceVersion in record ({@object.VersionOf()}). The object might have been modified");
        }
    }
}
