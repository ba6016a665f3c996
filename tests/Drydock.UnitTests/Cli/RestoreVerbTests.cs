using Drydock.Cli;
using Drydock.Cli.Verbs;
using Drydock.Maintenance;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

public sealed class RestoreVerbTests
{
    [Fact]
    public void A_refusal_names_the_maintenance_that_holds_the_node()
    {
        var refusal = RestoreVerb.Refusal("worker-a", new RestoreResult(true, [], ["Node worker-a is under maintenance by maintenance m-1, which renewed its lease at noon: cancel it instead."]));

        (refusal.ExitCode, refusal.Message).ShouldBe((
            ExitCodes.Refused, "Node worker-a is under maintenance by maintenance m-1, which renewed its lease at noon: cancel it instead. Nothing was changed."));
    }

    [Fact]
    public void A_node_that_there_is_not_is_bad_input() =>
        RestoreVerb.Refusal("worker-z", new RestoreResult(true, [], ["There is no node named worker-z."]) { IsNodeGone = true }).ExitCode.ShouldBe(ExitCodes.BadInput);
}
