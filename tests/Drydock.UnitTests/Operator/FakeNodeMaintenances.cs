using Drydock.Kubernetes;

namespace Drydock.UnitTests.Operator;

/// <summary>NodeMaintenance resources in a dictionary, with resource versions and finalizers as the API server has them.</summary>
internal sealed class FakeNodeMaintenances : INodeMaintenances
{
    private readonly Dictionary<string, NodeMaintenanceSnapshot> _resources = new(StringComparer.Ordinal);

    /// <summary>The events recorded on the resources, by reason.</summary>
    public List<string> Events { get; } = [];

    public NodeMaintenanceSnapshot? this[string name] => _resources.GetValueOrDefault(name);

    public void Create(string name, string node, string uid = "uid-1", params (string Key, string Value)[] annotations) =>
        _resources[name] = new NodeMaintenanceSnapshot(name, uid, "1", node)
        {
            Reason = "new kernel",
            Annotations = annotations.ToDictionary(one => one.Key, one => one.Value, StringComparer.Ordinal),
        };

    /// <summary>As kubectl replace: these annotations and no other.</summary>
    public void Annotate(string name, params (string Key, string Value)[] annotations) => _resources[name] = _resources[name] with
    {
        Annotations = annotations.ToDictionary(one => one.Key, one => one.Value, StringComparer.Ordinal),
    };

    /// <summary>As time that passes while it is being deleted.</summary>
    public void DeletedAt(string name, DateTimeOffset at) => _resources[name] = _resources[name] with { DeletionRequestedAt = at };

    /// <summary>As kubectl delete: the resource stays as long as a finalizer is on it.</summary>
    public void Delete(string name)
    {
        if (_resources[name].HasFinalizer)
        {
            _resources[name] = _resources[name] with { IsBeingDeleted = true };
        }
        else
        {
            _resources.Remove(name);
        }
    }

    /// <summary>As a person who edits the finalizer away.</summary>
    public void Remove(string name) => _resources.Remove(name);

    public Task<IReadOnlyList<NodeMaintenanceSnapshot>> ListAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NodeMaintenanceSnapshot>>([.. _resources.Values]);

    public Task<NodeMaintenanceSnapshot?> GetAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult(_resources.GetValueOrDefault(name));

    public IAsyncEnumerable<string> WatchAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public Task<bool> SetFinalizerAsync(NodeMaintenanceSnapshot resource, bool present, CancellationToken cancellationToken)
    {
        if (_resources[resource.Name].ResourceVersion != resource.ResourceVersion)
        {
            return Task.FromResult(false);
        }

        if (!present && resource.IsBeingDeleted)
        {
            _resources.Remove(resource.Name);
        }
        else
        {
            _resources[resource.Name] = resource with { HasFinalizer = present, ResourceVersion = resource.ResourceVersion + "1" };
        }

        return Task.FromResult(true);
    }

    public Task WriteStatusAsync(NodeMaintenanceSnapshot resource, NodeMaintenanceStatus status, CancellationToken cancellationToken)
    {
        _resources[resource.Name] = _resources[resource.Name] with { Status = status };
        return Task.CompletedTask;
    }

    public Task RecordEventAsync(
        NodeMaintenanceSnapshot resource, bool isWarning, string reason, string message, CancellationToken cancellationToken)
    {
        Events.Add(reason);
        return Task.CompletedTask;
    }
}
