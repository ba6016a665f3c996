using System.Text;
using System.Text.Json.Nodes;
using Drydock.Operator.Admission;
using Drydock.UnitTests.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>What the webhook says of changes to a NodeMaintenance that was there before the webhook, with annotations it refuses.</summary>
public sealed class AdmissionReviewsTests
{
    private const string Forbidden = """{"drydock.dev/action":"Explode"}""";

    [Theory]
    [InlineData("finalizers", """{"finalizers":["foregroundDeleteNodeMaintenance"],"annotations":{"drydock.dev/action":"Explode"}}""")]
    [InlineData("another annotation", """{"annotations":{"drydock.dev/action":"Explode","note":"second"}}""")]
    [InlineData("its end", """{"deletionTimestamp":"2026-01-02T03:00:00Z","annotations":{"drydock.dev/action":"Other"}}""")]
    [InlineData("what was wrong is taken off", "{}")]
    public async Task What_leaves_the_action_alone_or_is_on_its_way_out_is_allowed(string what, string metadata) =>
        (await RefusalAsync(Forbidden, metadata)).ShouldBeNull(what);

    [Theory]
    [InlineData(Forbidden, """{"annotations":{"drydock.dev/action":"Other"}}""", "Annotation drydock.dev/action: 'Other' is not allowed; allowed: Hold, None.")]
    [InlineData("{}", """{"annotations":{"drydock.dev/action":"Explode"}}""", "Annotation drydock.dev/action: 'Explode' is not allowed; allowed: Hold, None.")]
    [InlineData("{}", """{"annotations":{"drydock.dev/manifest":"{}"}}""", "Annotation drydock.dev/manifest: a NodeMaintenance brings no Job of its own")]
    public async Task What_asks_anew_for_what_is_not_allowed_is_refused(string before, string metadata, string sentence) =>
        (await RefusalAsync(before, metadata)).ShouldNotBeNull().ShouldStartWith(sentence);

    [Fact]
    public async Task The_node_stays_the_one_it_is_also_on_the_way_out() =>
        (await RefusalAsync("{}", """{"deletionTimestamp":"2026-01-02T03:00:00Z"}""", "worker-b")).ShouldBe("updating spec.NodeName isn't allowed");

    private static async Task<string?> RefusalAsync(string annotationsBefore, string metadata, string node = "worker-a")
    {
        var review = $$$"""
            {"request":{"uid":"1","operation":"UPDATE","resource":{"resource":"nodemaintenances"},
              "object":{"metadata":{{{metadata}}},"spec":{"nodeName":"{{{node}}}"}},
              "oldObject":{"metadata":{"annotations":{{{annotationsBefore}}}},"spec":{"nodeName":"worker-a"} } } }
            """;
        using var body = new MemoryStream(Encoding.UTF8.GetBytes(review));
        var reviews = new AdmissionReviews(new FakeNodeMaintenances(), new StubCluster("worker-a", "worker-b"), new FakeResourceRequests());
        var response = (await reviews.AnswerAsync(body, TestContext.Current.CancellationToken))["response"]!;
        response["allowed"]!.GetValue<bool>().ShouldBe(response["status"] is null);
        return (response["status"] as JsonObject)?["message"]!.ToString();
    }
}
