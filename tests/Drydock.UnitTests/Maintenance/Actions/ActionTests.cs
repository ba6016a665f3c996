using System.Text.Json.Nodes;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Actions;
using Drydock.UnitTests.Architecture;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Maintenance.Actions;

public sealed class ActionTests
{
    private static readonly ObjectRef Name = new("tools", "drydock-action-1");

    [Fact]
    public void A_job_is_pinned_to_the_node_whatever_its_template_says()
    {
        var template = new JobTemplate("tools", """
            {"metadata":{"name":"theirs","generateName":"x-"},"spec":{"backoffLimit":2,"template":{"spec":{"nodeName":"other","containers":[{"name":"c","env":[{"name":"N","value":"{node} {maintenance} {bootId}"}]}]}}}}
            """);

        var job = JsonNode.Parse(JobManifest.Build(template, Name, "node-1", "m1", "boot"))!;

        ((string?)job["metadata"]!["name"], job["metadata"]!["generateName"]).ShouldBe(("drydock-action-1", null));
        ((string?)job["metadata"]!["annotations"]![JobManifest.MaintenanceAnnotation]).ShouldBe("m1");
        var spec = job["spec"]!;
        ((int)spec["backoffLimit"]!, (int)spec["ttlSecondsAfterFinished"]!).ShouldBe((2, 86400));
        var pod = spec["template"]!["spec"]!;
        ((string?)pod["nodeName"], (string?)pod["restartPolicy"], (string?)pod["tolerations"]![0]!["operator"]).ShouldBe(("node-1", "Never", "Exists"));
        ((string?)pod["containers"]![0]!["env"]![0]!["value"]).ShouldBe("node-1 m1 boot");
        ((string?)spec["template"]!["metadata"]!["labels"]![JobManifest.Label]).ShouldBe(Name.Name);
    }

    [Theory]
    [InlineData("30", 86400)]
    [InlineData("200000", 200000)]
    [InlineData("null", 86400)]
    public void A_finished_job_is_kept_for_a_day_at_least_so_that_it_is_not_run_a_second_time(string wanted, int seconds)
    {
        var template = new JobTemplate("tools", """{"spec":{"ttlSecondsAfterFinished":WANTED,"template":{"spec":{"containers":[]}}}}""".Replace("WANTED", wanted, StringComparison.Ordinal));

        ((int)JsonNode.Parse(JobManifest.Build(template, Name, "node-1", "m1", "boot"))!["spec"]!["ttlSecondsAfterFinished"]!).ShouldBe(seconds);
    }

    [Fact]
    public void The_built_in_reboot_does_nothing_in_another_boot()
    {
        var job = JobManifest.Build(JobManifest.BuiltInReboot, Name, "node-1", "m1", "b00t");

        JsonNode.Parse(job)!["spec"]!["template"]!["spec"]!["containers"]![0]!["command"]!.AsArray().Last()!.ToString()
            .ShouldBe("""[ "$(cat /proc/sys/kernel/random/boot_id)" = "b00t" ] || exit 0; exec systemctl reboot""");
    }

    [Fact]
    public void The_same_action_has_the_same_job_name_and_another_has_another()
    {
        var name = JobManifest.NameOf("m1", "before-drain-1");

        name.ShouldStartWith("drydock-before-drain-1-");
        name.Length.ShouldBeLessThan(64);
        JobManifest.NameOf("m1", "before-drain-1").ShouldBe(name);
        new[] { JobManifest.NameOf("m2", "before-drain-1"), JobManifest.NameOf("m1", "before-drain-2") }.ShouldNotContain(name);
    }

    [Theory]
    [InlineData("[]", "it is not a Job as JSON: An object is wanted.")]
    [InlineData("{}", "it has no spec.template.spec.containers")]
    public void A_template_that_is_no_job_is_told(string manifest, string problem) => JobManifest.Problem(new JobTemplate("n", manifest)).ShouldBe(problem);

    [Theory]
    [InlineData(0, "key", "{}", true)]
    [InlineData(-301, "key", "{}", false)]
    [InlineData(301, "key", "{}", false)]
    [InlineData(0, "other", "{}", false)]
    [InlineData(0, "key", "{ }", false)]
    public void A_signature_holds_for_this_key_body_and_five_minutes(int seconds, string key, string body, bool isGood)
    {
        var now = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var timestamp = $"{now.ToUnixTimeSeconds() + seconds}";
        var signature = WebhookSignature.Of(key, timestamp, "{}");

        (WebhookSignature.Problem("key", timestamp, signature, body, now) is null).ShouldBe(isGood);
    }

    [Theory]
    [InlineData("0.5", "500ms")]
    [InlineData("8", "8s")]
    [InlineData("150", "2m30s")]
    [InlineData("100800", "1d4h")]
    public void Durations_are_written_as_people_write_them(string seconds, string text) => Spoken.Of(TimeSpan.FromSeconds(double.Parse(seconds))).ShouldBe(text);

    [Theory]
    [InlineData(null, MaintenanceAction.None, false)]
    [InlineData(null, MaintenanceAction.Reboot, true)]
    [InlineData(null, MaintenanceAction.PowerCycle, true)]
    [InlineData(true, MaintenanceAction.None, true)]
    [InlineData(false, MaintenanceAction.Reboot, false)]
    public void Whether_the_node_must_have_rebooted_is_as_the_request_says_else_as_its_actions_do(bool? said, MaintenanceAction action, bool must) =>
        Resolve.MustReboot(new MaintenanceRequest("n") { Action = action, Health = new HealthPolicy { MustReboot = said } }).ShouldBe(must);

    /// <summary>What is asked for, and the sentence that refuses it.</summary>
    public static TheoryData<string, string> Refusals => new()
    {
        { "no such policy", "There is no policy named q." },
        { "job without a policy", "The job firmware needs a policy: jobs, webhooks and probes are taken from one." },
        { "no such job", "Policy p has no job named nothing." },
        { "job that is none", "Job broken of policy p cannot be run: it has no spec.template.spec.containers." },
        { "webhook not in the list", "Webhook far of policy p: 'https://far.example/' must not be called." },
        { "webhook without its secret", "Webhook far of policy p needs the secret file missing, which is not mounted." },
        { "webhook nobody can call back", "Webhook near is to call back, and this Drydock has no address that others can call." },
        { "reboot tried again", "Job again of policy p may reboot node worker-a twice: spec.backoffLimit is more than 0, and it does not look at the boot ID." },
        { "reboot restarted", "Job restarted of policy p may reboot node worker-a twice: its restartPolicy is OnFailure, and it does not look at the boot ID." },
        { "reboot before the drain", "A reboot is possible as the action or after the drain, not at before-drain." },
        { "power-cycle without a host", "No BareMetalHost is known to be the machine of node worker-a: none is consumed by a Machine whose nodeRef is this node." },
        { "power-cycle with two hosts", "Which BareMetalHost is the machine of node worker-a cannot be told: metal/one, metal/two are consumed by Machines whose nodeRef has that name." },
        { "no such probe", "Policy p has no probe named nothing." },
        { "no version", "The kubelet's version must be a version such as v1.36.0, not 'newest'." },
    };

    private static JobTemplate Reboots(string ofJob, string ofPod) =>
        new("n", $$$$"""{"spec":{"template":{"spec":{"containers":[{"name":"c","image":"i"}]{{{{ofPod}}}}}}{{{{ofJob}}}}}}""");

    [Fact]
    public void A_job_that_looks_at_the_boot_ID_may_be_started_again() =>
        JobManifest.RebootsAgain(new("n", Reboots(",\"backoffLimit\":2", "").Manifest.Replace("\"i\"", "\"{bootId}\""))).ShouldBeNull();

    [Theory]
    [MemberData(nameof(Refusals))]
    public async Task What_cannot_be_done_is_refused_before_anything_is_changed(string asked, string sentence)
    {
        var policy = new MaintenancePolicy("p")
        {
            Jobs = new Dictionary<string, JobTemplate> { ["broken"] = new("n", "{}"), ["again"] = Reboots(",\"backoffLimit\":2", ""), ["restarted"] = Reboots("", ",\"restartPolicy\":\"OnFailure\"") },
            RebootJob = asked switch { "reboot tried again" => "again", "reboot restarted" => "restarted", _ => null },
            Webhooks = new Dictionary<string, WebhookTemplate> { ["far"] = new("https://far.example/", "missing"), ["near"] = new("https://near.example/", "key") },
        };
        var planner = new ActionPlanner(
            new StubCluster("worker-a"), new StubNeighbours { All = asked == "power-cycle with two hosts" ? TwoHosts() : [] }, new FixedPolicies([policy]), new NearOnly(),
            new NearOnly(), new CallbackAddress(null));
        var request = Request(asked);

        var plan = await planner.ReadAsync(request, new NodeSnapshot("worker-a", "u", "1") { BootId = "b" }, TestContext.Current.CancellationToken);

        plan.Findings.Where(finding => finding.Severity == FindingSeverity.Refuses).Select(finding => finding.Message).ShouldContain(sentence);
    }

    [Fact]
    public async Task What_may_remediate_the_node_and_is_served_in_unknown_versions_alone_is_named_in_the_plan()
    {
        var neighbours = new StubNeighbours { Unknown = [new UnknownVersions("machines.cluster.x-k8s.io", ["v1", "v1beta3"])] };
        var planner = new ActionPlanner(new StubCluster("worker-a"), neighbours, new FixedPolicies([]), new NearOnly(), new NearOnly(), new CallbackAddress(null));
        var request = new MaintenanceRequest("worker-a");

        var told = (await planner.UnreadNeighboursAsync(request, TestContext.Current.CancellationToken)).ShouldHaveSingleItem();
        var alone = await planner.UnreadNeighboursAsync(request with { Remediation = RemediationPolicy.LabelOnly }, TestContext.Current.CancellationToken);

        (told.Kind, told.Severity).ShouldBe(("remediation-not-read", FindingSeverity.Notes));
        told.Message.ShouldBe("The API server serves machines.cluster.x-k8s.io as v1, v1beta3 alone, which this version of Drydock does not know: "
            + "whether one of them remediates node worker-a while it is away is not known, and none is paused.");
        alone.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(true, false, true)]
    [InlineData(true, true, false)]
    [InlineData(false, false, false)]
    public async Task On_OpenShift_the_plan_says_what_the_built_in_reboot_needs_and_who_has_it(bool isOpenShift, bool isNamed, bool isTold)
    {
        var policy = new MaintenancePolicy("p")
        {
            Jobs = new Dictionary<string, JobTemplate> { ["ours"] = Reboots(",\"backoffLimit\":0", ",\"restartPolicy\":\"Never\"") }, RebootJob = isNamed ? "ours" : null,
        };
        var planner = new ActionPlanner(
            new StubCluster("worker-a") { HasOpenShift = isOpenShift }, new StubNeighbours(), new FixedPolicies([policy]), new NearOnly(), new NearOnly(), new CallbackAddress(null));

        var plan = await planner.ReadAsync(Request("reboot tried again"), new NodeSnapshot("worker-a", "u", "1") { BootId = "b" }, TestContext.Current.CancellationToken);

        var finding = plan.Findings.SingleOrDefault(finding => finding.Kind == "reboot-needs-scc");
        (finding is not null).ShouldBe(isTold);
        (finding?.NextStep?.Contains("infra/kubernetes/components/actions-openshift", StringComparison.Ordinal)).ShouldBe(isTold ? true : null);
        (finding?.NextStep?.Contains("serviceAccountName: drydock-reboot", StringComparison.Ordinal)).ShouldBe(isTold ? true : null);
        Repository.Read("infra/kubernetes/components/actions-openshift/reboot.yaml").ShouldContain("name: drydock-reboot");
    }

    [Theory]
    [InlineData("delete", "", "pods", null, "force")]
    [InlineData("delete", "kubevirt.io", "virtualmachineinstances", null, "force")]
    [InlineData("patch", "metal3.io", "baremetalhosts", null, "bare-metal")]
    [InlineData("create", "batch", "jobs", "kube-system", "actions")]
    [InlineData("create", "batch", "jobs", "tools", "actions")]
    [InlineData("patch", "", "nodes", null, null)]
    public void A_missing_permission_names_the_component_that_grants_it(string verb, string group, string resource, string? where, string? component)
    {
        var nextStep = Access.Missing(new AccessRule(verb, group, resource, Namespace: where)).NextStep!;

        nextStep.ShouldStartWith($"Grant it the verb {verb} on {resource}");
        nextStep.Contains("infra/kubernetes/components", StringComparison.Ordinal).ShouldBe(component is not null);
        if (component is not null)
        {
            nextStep.ShouldContain($"infra/kubernetes/components/{component} ");
            var granted = string.Concat(Repository.Files($"infra/kubernetes/components/{component}", "*role.yaml").Select(File.ReadAllText));
            granted.ShouldContain($"\"{resource}\"");
            granted.ShouldContain($"\"{verb}\"");
        }
    }

    private static MaintenanceRequest Request(string asked)
    {
        var request = new MaintenanceRequest("worker-a") { Policy = "p" };
        MaintenanceRequest Act(MaintenanceAction kind, string? template = null) => request with { Action = kind, ActionOptions = new ActionOptions { Template = template } };
        return asked switch
        {
            "no such policy" => request with { Policy = "q" },
            "job without a policy" => Act(MaintenanceAction.Job, "firmware") with { Policy = null },
            "no such job" => Act(MaintenanceAction.Job, "nothing"),
            "job that is none" => Act(MaintenanceAction.Job, "broken"),
            "webhook not in the list" or "webhook without its secret" => Act(MaintenanceAction.Webhook, "far"),
            "webhook nobody can call back" => Act(MaintenanceAction.Webhook, "near"),
            "reboot tried again" or "reboot restarted" => Act(MaintenanceAction.Reboot),
            "reboot before the drain" => request with { Hooks = new MaintenanceHooks { BeforeDrain = [new ActionStep(MaintenanceAction.Reboot, new ActionOptions())] } },
            "power-cycle without a host" or "power-cycle with two hosts" => Act(MaintenanceAction.PowerCycle),
            "no such probe" => request with { Health = new HealthPolicy { Probes = ["nothing"] } },
            _ => request with { Health = new HealthPolicy { KubeletVersion = "newest" } },
        };
    }

    private static NeighbourSnapshot[] TwoHosts() =>
    [
        new(NeighbourKind.ClusterMachine, new ObjectRef("metal", "m"), "m", "1") { Node = "worker-a" },
        .. new[] { "one", "two" }.Select(static name => new NeighbourSnapshot(NeighbourKind.BareMetalHost, new ObjectRef("metal", name), name, "1")
        {
            Power = new HostPower(IsOn: true, IsWantedOn: true) { Consumer = new OwnerRef("Machine", "m", "") },
        }),
    ];

    private sealed class NearOnly : IHttpTargets, ISecretFiles
    {
        public string? Problem(string url) => url.Contains("near") ? null : $"'{url}' must not be called.";

        public Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken) => throw new InvalidOperationException("A plan calls nobody.");

        public Task<string?> ReadAsync(string name, CancellationToken cancellationToken) => Task.FromResult(name == "missing" ? null : "secret");
    }
}
