namespace Drydock.Simulator.Store;

/// <summary>The types that CustomResourceDefinitions define: served when one is made, emptied and gone when it is deleted.</summary>
public sealed partial class ObjectStore
{
    private void FollowDefinition(Change change)
    {
        if (change.Kind is ChangeKind.Deleted)
        {
            Unregister(CustomResource.TypeOf(change.Object));
        }
        else
        {
            Register(CustomResource.TypeOf(change.Object));
        }
    }

    /// <summary>A deleted definition takes its objects along, and goes when the last of them has gone.</summary>
    private void Sweep(ResourceType type)
    {
        var definitions = Table(ResourceTypes.CustomResourceDefinitions);
        var ending = type.Equals(ResourceTypes.CustomResourceDefinitions)
            ? definitions.List(null).Trees().Where(d => d.At("metadata", "deletionTimestamp") is not null).ToList()
            : type.IsCustom && definitions.Find(null, type.GroupResource)?.Tree is { } own && own.At("metadata", "deletionTimestamp") is not null
                ? [own]
                : [];

        foreach (var definition in ending)
        {
            var custom = CustomResource.TypeOf(definition);
            foreach (var item in Table(custom).List(null).Trees().Where(o => o.At("metadata", "deletionTimestamp") is null))
            {
                Delete(custom, item.NamespaceOf(), item.NameOf(), new Deletion());
            }

            if (_tables.TryGetValue(custom, out var table) && table.IsEmpty && definitions.Find(null, definition.NameOf()) is { } last)
            {
                var released = last.Tree.Copy();
                released.Child("metadata").Remove("finalizers");
                Commit(ChangeKind.Deleted, ResourceTypes.CustomResourceDefinitions, released, last);
            }
        }
    }

    /// <summary>What the API server's naming controller does a moment after a definition was created.</summary>
    private void Establish(StoredObject definition)
    {
        var established = definition.Tree.Copy();
        established["status"] = CustomResource.EstablishedStatus(definition.Tree, time.GetUtcNow());
        Write(ResourceTypes.CustomResourceDefinitions, definition, established, dryRun: false);
    }
}
