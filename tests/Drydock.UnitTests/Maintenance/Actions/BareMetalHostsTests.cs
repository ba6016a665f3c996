using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Actions;

/// <summary>Which BareMetalHost is the machine of a node, where the Machines of other clusters stand too and their nodes are called alike.</summary>
public sealed class BareMetalHostsTests
{
    private static readonly NodeSnapshot Node = new("worker-0", "our-uid", "1") { ProviderId = "metal3://ours/host-0/m" };

    // Ours is in namespace "ours", the other cluster's in "theirs".
    [Theory]
    [InlineData("our-uid", null, "their-uid", null, "ours/host-0")]
    [InlineData(null, "metal3://ours/host-0/m", null, "metal3://theirs/host-0/m", "ours/host-0")]
    [InlineData("our-uid", "metal3://ours/host-0/m", null, "metal3://theirs/host-0/m", "ours/host-0")]
    [InlineData("our-uid", "metal3://written-otherwise", "their-uid", null, "ours/host-0")]
    [InlineData("uid-before-it-registered-again", "metal3://ours/host-0/m", "their-uid", "metal3://theirs/host-0/m", "ours/host-0")]
    [InlineData(null, null, null, null, "ours/host-0, theirs/host-0")]
    [InlineData("their-uid", null, "their-uid", null, "")]
    public async Task A_machine_is_the_nodes_by_uid_or_provider_id_and_not_by_its_name(string? uid, string? provider, string? otherUid, string? otherProvider, string hosts)
    {
        var neighbours = new StubNeighbours
        {
            All =
            [
                Machine("ours", uid, provider), Machine("theirs", otherUid, otherProvider),
                Host("ours", "ours"), Host("theirs", "theirs"),
            ],
        };

        var found = await BareMetalHosts.FindAsync(neighbours, Node, CancellationToken.None);

        string.Join(", ", found.Select(static host => host.Ref)).ShouldBe(hosts);
    }

    [Theory]
    [InlineData("ours", "ours", true)]
    [InlineData("ours", null, true)]
    [InlineData("ours", "theirs", false)]
    [InlineData("theirs", null, false)]
    [InlineData("theirs", "ours", true)]
    public async Task Whoever_consumes_a_host_is_in_the_namespace_that_it_names_or_in_its_own(string @namespace, string? consumer, bool isFound)
    {
        var neighbours = new StubNeighbours { All = [Machine("ours", "our-uid", null), Host(@namespace, consumer)] };

        (await BareMetalHosts.FindAsync(neighbours, Node, CancellationToken.None)).Count.ShouldBe(isFound ? 1 : 0);
    }

    private static NeighbourSnapshot Machine(string @namespace, string? nodeUid, string? provider) =>
        new(NeighbourKind.ClusterMachine, new ObjectRef(@namespace, "m"), $"m-{@namespace}", "1")
        {
            Node = "worker-0", NodeUid = nodeUid, ProviderId = provider, Infrastructure = "infra",
        };

    private static NeighbourSnapshot Host(string @namespace, string? consumer) =>
        new(NeighbourKind.BareMetalHost, new ObjectRef(@namespace, "host-0"), $"h-{@namespace}", "1")
        {
            Power = new HostPower(IsOn: true, IsWantedOn: true) { Consumer = new OwnerRef("Metal3Machine", "infra", ""), ConsumerNamespace = consumer },
        };
}
