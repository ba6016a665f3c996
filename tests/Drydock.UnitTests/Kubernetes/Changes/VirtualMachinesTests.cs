using Drydock.Kubernetes;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Changes;

/// <summary>KubeVirt's calls and what its answers mean; the answers are those recorded from virt-api.</summary>
public sealed class VirtualMachinesTests
{
    private const string Vm = "/apis/kubevirt.io/v1/namespaces/ns/virtualmachines/web";
    private const string Calls = "/apis/subresources.kubevirt.io/v1/namespaces/ns/virtualmachines/web/";
    private const string Vmi = "/apis/kubevirt.io/v1/namespaces/ns/virtualmachineinstances/web";
    private const string CancelPath = "/apis/subresources.kubevirt.io/v1/namespaces/ns/virtualmachineinstances/web/evacuate/cancel";
    private static readonly ObjectRef Web = new("ns", "web");

    [Fact]
    public async Task A_strategy_takes_the_place_of_the_deprecated_running_in_one_patch()
    {
        var server = new PlayedServer().On("PATCH " + Vm, 200, """{"metadata":{"name":"web","namespace":"ns"},"spec":{"runStrategy":"Always"}}""");

        var vm = await server.Connect().SetRunStrategyAsync(new VmSnapshot(Web, "u", "5") { Running = false }, "Always", CancellationToken.None);

        vm!.RunStrategy.ShouldBe("Always");
        server.Requests.Last().Body.ShouldBe("""{"spec":{"runStrategy":"Always","running":null},"metadata":{"resourceVersion":"5"}}""");
    }

    [Fact]
    public async Task A_mark_is_written_only_on_the_machine_that_was_read()
    {
        var server = new PlayedServer().On("PATCH " + Vm, 409, Recording.Text("conflict"));

        (await server.Connect().MarkVmAsync(new VmSnapshot(Web, "u", "5"), null, CancellationToken.None)).ShouldBeNull();

        server.Requests.Last().Body.ShouldBe(
            """{"metadata":{"annotations":{"drydock.dev/held-by":null,"drydock.dev/prior":null},"resourceVersion":"5"}}""");
    }

    [Fact]
    public async Task A_stop_carries_its_grace_period_and_a_start_no_body()
    {
        var server = new PlayedServer().On("PUT " + Calls, 202, "", "text/plain");
        var cluster = server.Connect();

        (await cluster.CallVmAsync(Web, VmCall.Stop, TimeSpan.FromSeconds(30), CancellationToken.None)).ShouldBe(new VmCallOutcome(true, 202, null));
        await cluster.CallVmAsync(Web, VmCall.Start, null, CancellationToken.None);

        server.Requests.Select(request => (request.Line, request.Body))
            .ShouldBe([("PUT " + Calls + "stop", """{"gracePeriod":30}"""), ("PUT " + Calls + "start", "")]);
    }

    [Theory]
    [InlineData("start")]
    [InlineData("stop")]
    [InlineData("restart")]
    [InlineData("migrate")]
    [InlineData("evacuate/cancel")]
    public async Task Every_call_accepts_more_than_JSON_since_KubeVirt_answers_406_to_that_alone(string call)
    {
        // Recorded: g_rejections.json and observed.md, "Accept: application/json alone".
        var server = new PlayedServer()
            .On("PUT /apis/subresources.kubevirt.io/", request => request.Accept == "application/json, */*"
                ? PlayedServer.Answer(202, "", "text/plain")
                : PlayedServer.Answer(406, "406: Not Acceptable\n\nAvailable representations: ", "text/plain"))
            .On("GET " + Vmi, 200, """{"metadata":{"name":"web","namespace":"ns","uid":"u"},"status":{"evacuationNodeName":"node-1"}}""");
        var cluster = server.Connect();

        var isAccepted = call switch
        {
            "evacuate/cancel" => (await cluster.CancelEvacuationAsync(new VmiSnapshot(Web, "u", "node-1"), CancellationToken.None)).IsAccepted,
            "migrate" => (await cluster.MigrateVmAsync(Web, new Dictionary<string, string> { ["a"] = "b" }, CancellationToken.None)).IsAccepted,
            _ => (await cluster.CallVmAsync(Web, Enum.Parse<VmCall>(call, ignoreCase: true), null, CancellationToken.None)).IsAccepted,
        };

        isAccepted.ShouldBeTrue();
        server.Requests.Single(request => request.Line.StartsWith("PUT", StringComparison.Ordinal)).ShouldSatisfyAllConditions(
            put => put.Line.ShouldEndWith("/" + call), put => put.Accept.ShouldBe("application/json, */*"));
    }

    [Fact]
    public async Task A_refusal_of_KubeVirt_is_a_value_and_its_absence_is_not()
    {
        const string Refusal = """{"kind":"Status","reason":"Conflict","message":"Operation cannot be fulfilled on virtualmachine.kubevirt.io \"web\": VM is not running"}""";
        var server = new PlayedServer()
            .On("PUT " + Calls + "stop", 409, Refusal)
            .On("PUT " + Calls + "start", 503, "error trying to reach service: dial tcp: connect: connection refused\n", "text/plain");
        var cluster = server.Connect();

        (await cluster.CallVmAsync(Web, VmCall.Stop, null, CancellationToken.None)).ShouldBe(
            new VmCallOutcome(false, 409, "Operation cannot be fulfilled on virtualmachine.kubevirt.io \"web\": VM is not running"));
        var thrown = await Should.ThrowAsync<ClusterException>(() => cluster.CallVmAsync(Web, VmCall.Start, null, CancellationToken.None));
        thrown.IsTransient.ShouldBeTrue();
    }

    /// <summary>An API server takes one part of a path as the subresource: what has to be granted is what it names.</summary>
    [Theory]
    [InlineData("evacuate")]
    [InlineData("evacuate/cancel")]
    public async Task An_evacuation_that_may_not_be_cancelled_is_told_by_the_permission_that_was_asked_for(string asked)
    {
        var server = new PlayedServer()
            .On("GET " + Vmi, 200, """{"metadata":{"name":"web","namespace":"ns","uid":"u"},"status":{"evacuationNodeName":"node-1"}}""")
            .On("PUT " + CancelPath, 403, $$"""
                {"kind":"Status","reason":"Forbidden","message":"virtualmachineinstances.subresources.kubevirt.io \"web\" is forbidden: User \"drydock\" cannot update resource \"virtualmachineinstances/{{asked}}\" in API group \"subresources.kubevirt.io\" in the namespace \"ns\""}
                """);

        var thrown = await Should.ThrowAsync<ClusterException>(() => server.Connect().CancelEvacuationAsync(new VmiSnapshot(Web, "u", "node-1"), CancellationToken.None));

        thrown.Message.ShouldBe($"User \"drydock\" is not allowed to update virtualmachineinstances/{asked}.subresources.kubevirt.io in namespace ns (403).");
    }

    [Theory]
    [InlineData("node-1", 200, "", "text/plain", true, true)]
    [InlineData("node-1", 404, "404: Page Not Found", "text/plain", false, true)]
    [InlineData("node-1", 404, """{"kind":"Status","message":"virtualmachineinstance.kubevirt.io \"web\" not found"}""", "application/json", true, true)]
    [InlineData("node-1", 400, """{"kind":"Status","message":"node node-1 carries the drain taint"}""", "application/json", false, true)]
    [InlineData("", 500, "", "text/plain", true, false)]
    public async Task An_evacuation_is_cancelled_by_the_node_it_is_marked_with(
        string marked, int code, string body, string type, bool expected, bool asked)
    {
        var server = new PlayedServer()
            .On("GET " + Vmi, 200, $$$"""{"metadata":{"name":"web","namespace":"ns","uid":"u"},"status":{"evacuationNodeName":"{{{marked}}}"}}""")
            .On("PUT " + CancelPath, code, body, type);

        var answer = await server.Connect().CancelEvacuationAsync(new VmiSnapshot(Web, "u", "node-1"), CancellationToken.None);

        answer.IsAccepted.ShouldBe(expected);
        answer.Message.ShouldBe(code == 400 ? "node node-1 carries the drain taint" : expected ? null : body);

        server.Requests.Any(request => request.Body == """{"evacuationNodeName":"node-1"}""").ShouldBe(asked);
    }

    [Theory]
    [InlineData(200)]
    [InlineData(404)]
    [InlineData(409)]
    public async Task A_migration_that_is_gone_is_deleted(int code)
    {
        var server = new PlayedServer().On("DELETE /apis/kubevirt.io/v1/namespaces/ns/virtualmachineinstancemigrations/m", code);

        await server.Connect().DeleteMigrationAsync(new ObjectRef("ns", "m"), "u", CancellationToken.None);

        server.Requests.Last().Body.ShouldBe("""{"preconditions":{"uid":"u"}}""");
    }
}
