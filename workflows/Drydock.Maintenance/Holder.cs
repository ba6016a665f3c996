namespace Drydock.Maintenance;

/// <summary>Who holds a node: the identity in the lease and in the marks, <c>drydock/&lt;hub id&gt;/&lt;instance id&gt;</c>.</summary>
public static class Holder
{
    /// <summary>The holder of a maintenance.</summary>
    public static string Of(string hubId, string instanceId) => $"drydock/{hubId}/{instanceId}";

    /// <summary>The instance id in the identity of a maintenance; null for anybody else's.</summary>
    public static string? InstanceOf(string? holder) => holder?.Split('/', 3) is ["drydock", _, var instance] ? instance : null;

    /// <summary>The hub in the identity of a maintenance; null for anybody else's.</summary>
    public static string? HubOf(string? holder) => holder?.Split('/', 3) is ["drydock", var hub, _] ? hub : null;

    /// <summary>For people: the instance id of one of ours, else the holder as it stands.</summary>
    public static string Describe(string? holder) => holder?.Split('/', 3) switch
    {
        null or [""] => "nobody",
        ["drydock", _, var instance] => $"maintenance {instance}",
        ["node-maintenance"] => "the Node Maintenance Operator",
        _ => holder,
    };
}
