namespace Drydock.Simulator.Store;

/// <summary>The types that CustomResourceDefinitions define: served when one is made, gone when it has gone.</summary>
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

    /// <summary>What the API server's naming controller does a moment after a definition was created.</summary>
    private void Establish(StoredObject definition)
    {
        var established = definition.Tree.Copy();
        established["status"] = CustomResource.EstablishedStatus(definition.Tree, time.GetUtcNow());
        if (Changed(ResourceTypes.CustomResourceDefinitions, definition, established) is { } after)
        {
            Write(ResourceTypes.CustomResourceDefinitions, definition, after);
        }
    }
}
