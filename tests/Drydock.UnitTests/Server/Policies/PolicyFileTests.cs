using Drydock.Maintenance;
using Drydock.Server;
using Drydock.Server.Policies;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server.Policies;

public sealed class PolicyFileTests
{
    private const string Yaml = """
        allowedUrls: ["https://hooks.example/drydock", "https://prometheus.example"]
        policies:
          - name: metal
            rebootJob: kexec
            requiredApprovals: [Action]
            requiredProbes: [quiet]
            healthOnDelete: true
            jobs:
              kexec:
                namespace: tools
                timeout: 10m
                manifest:
                  spec: {backoffLimit: 0, template: {spec: {hostPID: true, containers: [{name: c, image: "tools:1"}]}}}
            webhooks:
              change: {url: "https://hooks.example/drydock/{node}", secretFile: change-key, timeout: 2h}
            probes:
              quiet: {kind: Prometheus, url: "https://prometheus.example", query: 'ALERTS{node="{node}"}', expect: Empty}
        """;

    [Fact]
    public void An_admins_file_is_read()
    {
        var file = PolicyFile.Parse(Yaml, "policies.yaml");

        var policy = file.Policies.ShouldHaveSingleItem();
        (policy.Name, policy.RebootJob, policy.RequiredApprovals.Single(), policy.RequiredProbes.Single()).ShouldBe(("metal", "kexec", ApprovalGate.Action, "quiet"));
        policy.HealthOnDelete.ShouldBeTrue();
        policy.Jobs["kexec"].ShouldBe(new JobTemplate(
            "tools", """{"spec":{"backoffLimit":0,"template":{"spec":{"hostPID":true,"containers":[{"name":"c","image":"tools:1"}]}}}}""") { Timeout = TimeSpan.FromMinutes(10) });
        (policy.Webhooks["change"].SecretFile, policy.Webhooks["change"].Timeout, policy.Webhooks["change"].WaitsForCallback).ShouldBe(("change-key", TimeSpan.FromHours(2), true));
        policy.Probes["quiet"].Query.ShouldBe("""ALERTS{node="{node}"}""");
        file.AllowedUrls.Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("policies: [{name: a, jbos: {}}]", "jbos")]
    [InlineData("policies: [{name: a}, {name: a}]", "twice")]
    [InlineData("policies: [{name: a, jobs: {j: {namespace: n}}}]", "manifest")]
    [InlineData("policies: [{name: a, webhooks: {w: {url: u, secretFile: s, timeout: soon}}}]", "duration")]
    [InlineData("allowedUrls: [not-an-address]", "not-an-address")]
    [InlineData("policies: [", "policies.yaml")]
    public void A_wrong_file_stops_the_start_and_says_what_is_wrong(string yaml, string says) =>
        Should.Throw<DrydockOptionsException>(() => PolicyFile.Parse(yaml, "policies.yaml")).Message.ShouldContain(says);

    [Theory]
    [InlineData("https://hooks.example/drydock", true)]
    [InlineData("https://hooks.example/drydock/node-1?x=1", true)]
    [InlineData("https://hooks.example/drydock-of-others", false)]
    [InlineData("https://hooks.example/drydock/../other", false)]
    [InlineData("http://hooks.example/drydock", false)]
    [InlineData("https://hooks.example:444/drydock", false)]
    [InlineData("https://hooks.example.evil/drydock", false)]
    [InlineData("https://hooks.example@evil/drydock", false)]
    [InlineData("nonsense", false)]
    public void Only_addresses_in_the_list_may_be_called(string url, bool isAllowed)
    {
        using var targets = new HttpTargets([new Uri("https://hooks.example/drydock")], TimeProvider.System);

        (targets.Problem(url) is null).ShouldBe(isAllowed);
    }

    [Theory]
    [InlineData("change-key", true)]
    [InlineData("../change-key", false)]
    [InlineData("..", false)]
    [InlineData("/etc/passwd", false)]
    [InlineData("", false)]
    public void The_name_of_a_secret_is_no_way_out_of_its_folder(string name, bool isName) => SecretFiles.IsName(name).ShouldBe(isName);
}
