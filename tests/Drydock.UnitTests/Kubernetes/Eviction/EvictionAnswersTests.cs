using Drydock.Kubernetes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Eviction;
using Drydock.Kubernetes.Reading;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Eviction;

/// <summary>What each recorded answer of a real API server and of KubeVirt's interceptor means.</summary>
public sealed class EvictionAnswersTests
{
    /// <summary>Cases by the start of their name; a 201 is always Accepted.</summary>
    private static readonly (string Case, EvictionAnswer Answer, string? Object)[] Refusals =
    [
        ("308-evict-uid-mismatch", EvictionAnswer.Gone, null),
        ("309-evict-rv-mismatch", EvictionAnswer.Refused, null),
        ("310-evict-name-mismatch", EvictionAnswer.Refused, null),
        ("311-evict-ns-mismatch", EvictionAnswer.Refused, null),
        ("313-evict-no-name", EvictionAnswer.Refused, null),
        ("314-evict-empty-object", EvictionAnswer.Refused, null),
        ("315-evict-empty-body", EvictionAnswer.Refused, null),
        ("320-evict-missing", EvictionAnswer.Gone, null),
        ("321-evict-bad-option", EvictionAnswer.Refused, null),
        ("322-evict-missing-ns", EvictionAnswer.Gone, null),
        ("326-evict-pdb-uid-mismatch", EvictionAnswer.Gone, null),
        ("328-evict-pdb-uid-mismatch-next", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pu"),
        ("329-evict-pdb-uid-mismatch-again", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pu"),
        ("334-evict-pdb-429", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pv"),
        ("338-evict-pdb-429-healthy", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pv"),
        ("340-evict-pdb-new", EvictionAnswer.BudgetNotObserved, "poddisruptionbudget/ns/po"),
        ("342-evict-pdb-stale", EvictionAnswer.BudgetNotObserved, "poddisruptionbudget/ns/po"),
        ("343-evict-pdb-stale-dryrun", EvictionAnswer.BudgetNotObserved, "poddisruptionbudget/ns/po"),
        ("344-evict-terminating-ns", EvictionAnswer.NamespaceTerminating, null),
        ("351-evict-pdb-bare-percent", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pm"),
        ("353-evict-pdb-bare-maxunavailable", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/pm"),
        ("354-evict-two-pdbs", EvictionAnswer.SeveralBudgets, null),
        ("356-evict-maxunavailable-0", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/d0"),
        ("360-evict-ready-429", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/ph"),
        ("361-evict-unready-429", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/ph"),
        ("363-evict-ready-alwaysallow-429", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/ph"),
        ("364-evict-pdb-precond-429", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/ph"),
        ("374-evict-concurrent-cb", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/cb"),
        ("375-evict-concurrent-cc", EvictionAnswer.BudgetExhausted, "poddisruptionbudget/ns/cc"),
        ("a_eviction_http", EvictionAnswer.VmMigrating, "vmi/default/vm-a1"),
        ("c_eviction_strategies/nm-livemigrate", EvictionAnswer.VmNotMigratable, "vmi/ns/nm-livemigrate"),
        ("c_eviction_strategies/nm-external", EvictionAnswer.VmMigrating, "vmi/default/nm-external"),
        ("c_eviction_strategies/ok-ifpossible", EvictionAnswer.VmMigrating, "vmi/default/ok-ifpossible"),
        ("c_eviction_strategies/ok-external", EvictionAnswer.VmMigrating, "vmi/default/ok-external"),
        ("c_eviction_strategies/external_again", EvictionAnswer.VmMigrating, "vmi/default/ok-external"),
        ("d_cluster_strategy/LiveMigrate:vm-d/", EvictionAnswer.VmMigrating, "vmi/default/vm-d"),
        ("d_cluster_strategy/LiveMigrate:vm-dnm/", EvictionAnswer.VmNotMigratable, "vmi/ns/vm-dnm"),
        ("d_cluster_strategy/LiveMigrateIfPossible:vm-d/", EvictionAnswer.VmMigrating, "vmi/default/vm-d"),
        ("d_cluster_strategy/External:vm-d/", EvictionAnswer.VmMigrating, "vmi/default/vm-d"),
        ("d_cluster_strategy/External:vm-dnm/", EvictionAnswer.VmMigrating, "vmi/default/vm-dnm"),
        ("h_failures/vm-hfail", EvictionAnswer.VmMigrating, "vmi/default/vm-hfail"),
        ("h_failures/vm-hhang", EvictionAnswer.VmMigrating, "vmi/default/vm-hhang"),
        ("h_failures/vm-htgt", EvictionAnswer.VmMigrating, "vmi/default/vm-htgt"),
        ("h_failures/vm-hnoab", EvictionAnswer.VmMigrating, "vmi/default/vm-hnoab"),
        ("i_virt_api_down/evict_launcher", EvictionAnswer.WebhookUnreachable, "webhook/virt-launcher-eviction-interceptor.kubevirt.io"),
    ];

    private static readonly ObjectRef Pod = new("ns", "pod");
    private static readonly ApiCall Call = new("create", Resource.Pods) { Namespace = "ns", Name = "pod", Subresource = "eviction" };

    public static TheoryData<string, int> Cases
    {
        get
        {
            var cases = new TheoryData<string, int>();
            foreach (var (answer, index) in Recording.Json("evictions").Items().Select((answer, index) => (answer, index)))
            {
                cases.Add(answer.Text("case")!, index);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Every_recorded_answer_has_its_meaning(string name, int index)
    {
        var recorded = Recording.Json("evictions").Items().ElementAt(index);
        var code = recorded.Number("code")!.Value;
        var retryAfter = recorded.Text("retryAfter") is { } seconds ? TimeSpan.FromSeconds(int.Parse(seconds)) : (TimeSpan?)null;

        var outcome = EvictionAnswers.Classify(Pod, new ApiAnswer(Call, code, recorded.At("body"), null, retryAfter));

        outcome.ShouldNotBeNull();
        if (code == 201)
        {
            outcome.ShouldBe(new EvictionOutcome(EvictionAnswer.Accepted));
            return;
        }

        var expected = Refusals.Where(row => name.StartsWith(row.Case, StringComparison.Ordinal)).MaxBy(row => row.Case.Length);
        expected.Case.ShouldNotBeNull($"{name} answered {code} and no row says what that means");
        outcome.Answer.ShouldBe(expected.Answer);
        outcome.Object.ShouldBe(expected.Object);
        outcome.RetryAfter.ShouldBe(retryAfter);
        outcome.Message.ShouldNotBeNullOrEmpty();
    }

    [Fact]
    public void Every_row_is_about_a_recorded_case()
    {
        var names = Recording.Json("evictions").Items().Select(answer => answer.Text("case")!).ToList();

        Refusals.Where(row => !names.Exists(name => name.StartsWith(row.Case, StringComparison.Ordinal))).ShouldBeEmpty();
    }

    /// <summary>Answers that the sources promise and no recording holds.</summary>
    [Theory]
    [InlineData(429, """{"message":"admission webhook \"virt-launcher-eviction-interceptor.kubevirt.io\" denied the request: Eviction request for target Pod"}""", EvictionAnswer.MigrationTarget)]
    [InlineData(429, """{"message":"pods \"x\" is forbidden: admission webhook \"hotplug-pod-eviction-interceptor.kubevirt.io\" denied the request: cannot evict hotplug pod: it belongs to a running VMI"}""", EvictionAnswer.HotplugVolumePod)]
    [InlineData(429, """{"message":"admission webhook \"own.example.com\" denied the request: not today"}""", EvictionAnswer.WebhookDenied)]
    [InlineData(403, """{"message":"admission webhook \"own.example.com\" denied the request: not today"}""", EvictionAnswer.WebhookDenied)]
    [InlineData(400, """{"message":"admission webhook \"own.example.com\" denied the request: not today"}""", EvictionAnswer.WebhookDenied)]
    [InlineData(422, """{"message":"pods \"x\" is forbidden: ValidatingAdmissionPolicy 'keep' with binding 'all' denied request: no"}""", EvictionAnswer.WebhookDenied)]
    [InlineData(429, """{"message":"Cannot evict pod as it would violate the pod's disruption budget.","details":{"causes":[{"reason":"DisruptionBudget","message":"The disruption budget kubevirt-disruption-budget-x7k2p needs 1 healthy pods and has 1 currently"}]}}""", EvictionAnswer.VmMigrating)]
    [InlineData(429, """{"message":"too many requests, please try again later"}""", EvictionAnswer.Throttled)]
    [InlineData(403, """{"message":"pods \"x\" is forbidden: User \"u\" cannot create resource \"pods/eviction\" in API group \"\" in the namespace \"ns\""}""", EvictionAnswer.Forbidden)]
    [InlineData(403, """{"message":"pods \"x\" is forbidden: DisruptedPods map too big - too many evictions not confirmed by PDB controller"}""", EvictionAnswer.BudgetNotObserved)]
    [InlineData(504, """{"message":"Timeout: couldn't update PodDisruptionBudget \"web\" due to conflicts"}""", EvictionAnswer.BudgetNotObserved)]
    [InlineData(404, """{"kind":"Status","message":"the server could not find the requested resource"}""", EvictionAnswer.Refused)]
    public void Answers_known_only_from_the_sources_have_theirs_too(int code, string body, EvictionAnswer expected) =>
        EvictionAnswers.Classify(Pod, Answer(code, body))!.Answer.ShouldBe(expected);

    [Theory]
    [InlineData(401, """{"message":"Unauthorized"}""")]
    [InlineData(500, """{"message":"Internal error occurred: etcdserver: leader changed"}""")]
    [InlineData(503, """{"message":"apiserver is shutting down"}""")]
    public void An_answer_that_says_nothing_about_the_pod_is_no_outcome(int code, string body) =>
        EvictionAnswers.Classify(Pod, Answer(code, body)).ShouldBeNull();

    private static ApiAnswer Answer(int code, string body) =>
        new(Call, code, JsonReading.Parse(System.Text.Encoding.UTF8.GetBytes(body)), null, null);
}
