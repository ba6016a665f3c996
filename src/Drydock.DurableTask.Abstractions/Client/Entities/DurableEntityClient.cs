namespace Drydock.DurableTask.Client.Entities;

/// <summary>Reads and signals entities. No client offers it yet: <see cref="DurableTaskClient.Entities"/> throws.</summary>
public abstract class DurableEntityClient(string name)
{
    /// <summary>The name of the client.</summary>
    public string Name { get; } = name;
}
