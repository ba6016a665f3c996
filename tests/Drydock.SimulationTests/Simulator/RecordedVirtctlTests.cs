using System.Text.Json.Nodes;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>
/// What virtctl printed in a session with a real KubeVirt. virtctl puts its own words before those of the server: what it asked for is asked
/// again, and has to be accepted or refused with the words that end its line.
/// </summary>
public sealed class RecordedVirtctlTests
{
    private const string Subresources = "/apis/subresources.kubevirt.io/v1";

    private static readonly JsonArray _session = RecordedExchange.Read("virtctl.json").AsArray();

    /// <summary>The places of the commands in the session. Not <c>pause</c>: what was recorded is that the recording's virt-handler had no certificate.</summary>
    public static TheoryData<int, string> Commands =>
        [.. _session.Index().Select(each => (each.Index, each.Item.Text("cmd")!)).Where(each => !each.Item2.StartsWith("virtctl pause", StringComparison.Ordinal))];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task A_command_gets_the_answer_it_printed(int place, string command)
    {
        var cluster = new TestCluster($"{TestCluster.ThreeNodes}virtualMachines: [{{name: vc, runStrategy: Manual}}]\n");
        foreach (var before in Commands.Select(each => each.Data).Where(each => each.Item1 < place))
        {
            await RecordedExchange.AskAsync(cluster, Request(before.Item2));
            cluster.Pass(10);
        }

        var (code, _, answer) = await RecordedExchange.AskAsync(cluster, Request(command));

        var printed = _session[place];
        (code < 300).ShouldBe((int)printed!["rc"]! == 0, answer);
        if (code >= 300)
        {
            var message = JsonNode.Parse(answer).Text("message");
            message.ShouldNotBeNullOrEmpty();
            printed.Text("stderr").ShouldEndWith(message);
        }
        else if (command == "virtctl version")
        {
            JsonNode.Parse(answer).Text("gitVersion").ShouldBe(cluster.Store.List(KubeVirtTypes.KubeVirts)[0].Text("status", "observedKubeVirtVersion"));
        }
    }

    private static JsonObject Request(string command) => command.Split(' ')[1..] switch
    {
        ["version"] => Request("GET", $"{Subresources}/version"),
        ["evacuate-cancel", "vm", var machine] => Request("GET", $"/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances/{machine}"),
        [var operation, var machine] => Request("PUT", $"{Subresources}/namespaces/default/virtualmachines/{machine}/{operation}"),
        _ => throw new InvalidDataException($"Nobody knows what this command asks for: {command}"),
    };

    private static JsonObject Request(string method, string path) => new() { ["method"] = method, ["path"] = path };
}
