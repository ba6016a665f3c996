using System.Text.Json.Nodes;
using Drydock.Simulator.KubeVirt;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>The recorded refusals of KubeVirt's webhooks.</summary>
public sealed class KubeVirtAdmissionTests
{
    private const string Machine = "admission webhook \"virtualmachine-validator.kubevirt.io\" denied the request: ";
    private const string Both = Machine + "Running and RunStrategy are mutually exclusive. Note that Running is deprecated, please use RunStrategy instead";

    [Theory]
    [InlineData("""{"running":true,"runStrategy":"Always"}""", Both, "spec.running")]
    [InlineData("""{"running":false,"runStrategy":"Halted"}""", Both, "spec.running")]
    [InlineData("{}", Machine + "RunStrategy must be specified", "spec.running")]
    [InlineData("""{"runStrategy":"Sometimes"}""", Machine + "Invalid RunStrategy (Sometimes)", "spec.runStrategy")]
    [InlineData(
        """{"runStrategy":"Always","template":{"spec":{"evictionStrategy":"Whatever"}}}""",
        Machine + "spec.template.spec.evictionStrategy is set with an unrecognized option: Whatever", "spec.template.spec.evictionStrategy")]
    public void A_machine_that_makes_no_sense_is_refused_with_422(string spec, string message, string field)
    {
        var refusal = Should.Throw<ApiException>(() => Review(KubeVirtTypes.VirtualMachines, new() { ["spec"] = JsonNode.Parse(spec) }));

        (refusal.Code, refusal.Reason, refusal.Message).ShouldBe((422, "Invalid", message));
        refusal.Details.Objects("causes").Single().Text("field").ShouldBe(field);
    }

    [Theory]
    [InlineData("""{"running":true}""")]
    [InlineData("""{"runStrategy":"WaitAsReceiver"}""")]
    public void The_deprecated_field_alone_and_receivers_are_accepted(string spec) =>
        Should.NotThrow(() => Review(KubeVirtTypes.VirtualMachines, new() { ["spec"] = JsonNode.Parse(spec) }));

    [Fact]
    public void A_migration_of_a_missing_machine_is_refused_with_400_and_no_reason()
    {
        var migration = new JsonObject { ["metadata"] = new JsonObject { ["namespace"] = "default" }, ["spec"] = new JsonObject { ["vmiName"] = "nope" } };

        var refusal = Should.Throw<ApiException>(() => Review(KubeVirtTypes.Migrations, migration));

        (refusal.Code, refusal.Reason, refusal.Message).ShouldBe((400, null,
            "admission webhook \"migration-create-validator.kubevirt.io\" denied the request: the VMI \"default/nope\" does not exist"));
    }

    [Fact]
    public void A_user_may_patch_the_status_of_an_instance_but_neither_its_spec_nor_reserved_labels()
    {
        const string webhook = "admission webhook \"virtualmachineinstances-update-validator.kubevirt.io\" denied the request: ";
        var before = Instance();
        var status = Instance();
        status["status"] = new JsonObject { ["evacuationNodeName"] = "node-1" };
        var spec = Instance();
        spec["spec"]!["evictionStrategy"] = "None";
        var label = Instance();
        label["metadata"]!["labels"]!["kubevirt.io/nodeName"] = "node-2";

        Should.NotThrow(() => Review(KubeVirtTypes.Instances, status, before));
        Should.Throw<ApiException>(() => Review(KubeVirtTypes.Instances, spec, before)).Message.ShouldBe(webhook + "update of VMI object is restricted");
        Should.Throw<ApiException>(() => Review(KubeVirtTypes.Instances, label, before)).Message
            .ShouldBe(webhook + "modification of the following reserved kubevirt.io/ labels on a VMI object is prohibited");
    }

    private static JsonObject Instance() => new()
    {
        ["metadata"] = new JsonObject { ["name"] = "vm", ["labels"] = new JsonObject { ["kubevirt.io/nodeName"] = "node-1" } },
        ["spec"] = new JsonObject { ["evictionStrategy"] = "LiveMigrate" },
    };

    private static void Review(ResourceType type, JsonObject item, JsonObject? before = null) =>
        new KubeVirtAdmission(new TestCluster(TestCluster.ThreeNodes).Store, TimeProvider.System).Review(type, item, before, dryRun: false);
}
