using Drydock.Kubernetes;

namespace Drydock.UnitTests.Server;

/// <summary>Nothing stands around the nodes; every change is a test failure.</summary>
internal sealed class StubNeighbours : INeighbours
{
    /// <summary>What stands around the nodes all the same.</summary>
    public IReadOnlyList<NeighbourSnapshot> All { get; init; } = [];

    public Task<IReadOnlyList<NeighbourSnapshot>> ListNeighboursAsync(NeighbourKind kind, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<NeighbourSnapshot>>([.. All.Where(one => one.Kind == kind)]);

    public Task<IReadOnlyList<AccessRule>> FindUnreadableAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<AccessRule>>([]);

    /// <summary>Kinds in versions that nobody knows.</summary>
    public IReadOnlyList<UnknownVersions> Unknown { get; init; } = [];

    public Task<IReadOnlyList<UnknownVersions>> FindUnknownVersionsAsync(IReadOnlyList<NeighbourKind> kinds, CancellationToken cancellationToken) =>
        Task.FromResult(Unknown);

    public Task<IReadOnlyList<AccessRule>> FindUnchangeableAsync(IReadOnlyList<(NeighbourKind Kind, string Namespace)> held, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<AccessRule>>([]);

    public Task<NeighbourSnapshot?> GetNeighbourAsync(NeighbourKind kind, ObjectRef name, CancellationToken cancellationToken) =>
        Task.FromResult<NeighbourSnapshot?>(null);

    public Task<JobSnapshot?> GetJobAsync(ObjectRef job, CancellationToken cancellationToken) => Task.FromResult<JobSnapshot?>(null);

    public Task<IReadOnlyList<string>> ListCsiDriversAsync(string node, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([]);

    public Task<IReadOnlyList<PodSnapshot>> ListPodsAsync(string? @namespace, string selector, CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<PodSnapshot>>([]);

    /// <summary>Who leads the other operator; it may throw.</summary>
    public Func<string?> OtherOperator { get; set; } = static () => null;

    public async Task<string?> FindNodeMaintenanceOperatorAsync(CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        return OtherOperator();
    }

    public Task<NeighbourSnapshot?> ChangeNeighbourAsync(
        NeighbourSnapshot neighbour,
        IReadOnlyDictionary<string, string?> annotations,
        IReadOnlyList<string>? pauseRequests,
        CancellationToken cancellationToken) => throw Unexpected();

    public Task<bool> CreateJobAsync(ObjectRef job, string manifest, CancellationToken cancellationToken) => throw Unexpected();

    public Task DeleteJobAsync(ObjectRef job, string uid, CancellationToken cancellationToken) => throw Unexpected();

    private static InvalidOperationException Unexpected() => new("A door changes nothing in the cluster.");
}
