using Drydock.Kubernetes;
using Drydock.Operator;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>When the door of the NodeMaintenance resources stays shut.</summary>
public sealed class OtherOperatorTests
{
    private readonly StubNeighbours _neighbours = new();

    [Fact]
    public async Task It_opens_at_once_where_no_other_operator_leads()
    {
        var other = new OtherOperator(_neighbours, TimeProvider.System, NullLogger<OtherOperator>.Instance);

        await other.WaitUntilGoneAsync(TestContext.Current.CancellationToken);

        other.ShutBecause.ShouldBeNull();
    }

    [Fact]
    public async Task It_stays_shut_where_one_leads() =>
        (await ShutBecauseAsync(static () => "nmo-1 (lease medik8s/135b1886.medik8s.io)"))
            .ShouldStartWith("A Node Maintenance Operator runs in this cluster: nmo-1 (lease medik8s/135b1886.medik8s.io).");

    [Fact]
    public async Task It_stays_shut_where_that_may_not_be_read_and_says_which_permission_is_missing() =>
        (await ShutBecauseAsync(static () => throw new ClusterException(ClusterErrorKind.Forbidden, "list", "leases", "User \"d\" is not allowed to list leases.coordination.k8s.io (403).")))
            .ShouldBe("Whether a Node Maintenance Operator runs cannot be told: User \"d\" is not allowed to list leases.coordination.k8s.io (403). Grant Drydock the verb list on leases.coordination.k8s.io, or run it without its operator.");

    private async Task<string> ShutBecauseAsync(Func<string?> leader)
    {
        _neighbours.OtherOperator = leader;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var other = new OtherOperator(_neighbours, TimeProvider.System, NullLogger<OtherOperator>.Instance);

        // The answer is there before it waits for the first time.
        var waiting = other.WaitUntilGoneAsync(over.Token);

        var why = other.ShutBecause.ShouldNotBeNull();
        await over.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(() => waiting);
        return why;
    }
}
