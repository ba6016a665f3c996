namespace Drydock.Server;

/// <summary>Who asks for something, as the door knows it.</summary>
/// <param name="Name">Such as <c>alice</c>, <c>cli:ada@laptop</c> or <c>rollout/ID</c>.</param>
/// <param name="Address">Where from, or null if it came from within.</param>
public sealed record Requester(string Name, string? Address = null)
{
    /// <summary>Somebody without an address.</summary>
    public static implicit operator Requester(string name) => new(name);
}
