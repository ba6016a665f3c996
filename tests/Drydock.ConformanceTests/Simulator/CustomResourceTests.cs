using System.Text;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Drydock.Simulator;
using Drydock.Simulator.Scenarios;
using Drydock.Simulator.Store;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The schema of a custom resource is kept, with its rules. Texts as in k8s.io/apiextensions-apiserver.</summary>
public sealed class CustomResourceTests : IAsyncLifetime
{
    private const string Policies = "apis/test.example.com/v1/policies";

    private const string Definition =
        """
        {"metadata":{"name":"policies.test.example.com"},
         "spec":{"group":"test.example.com","scope":"Cluster","names":{"plural":"policies","singular":"policy","kind":"Policy","listKind":"PolicyList"},
          "versions":[{"name":"v1","served":true,"storage":true,"subresources":{"status":{}},
           "additionalPrinterColumns":[{"name":"Most","type":"integer","jsonPath":".spec.most"}],
           "schema":{"openAPIV3Schema":{"type":"object","required":["spec"],"properties":{
            "spec":{"type":"object","required":["least"],
             "x-kubernetes-validations":[
              {"rule":"self.least <= self.most","message":"least may not be above most"},
              {"rule":"!has(self.mode) || self.mode != 'strict' || self.most < 10","messageExpression":"'strict allows 9, not ' + string(self.most)","reason":"FieldValueForbidden","fieldPath":".most"},
              {"rule":"self.id == oldSelf.id","message":"id is immutable"}],
             "properties":{
              "id":{"type":"string","default":"none","maxLength":5},
              "least":{"type":"integer","minimum":0},
              "most":{"type":"integer","default":5,"maximum":100},
              "mode":{"type":"string","enum":["strict","lenient"]},
              "wait":{"type":"string","pattern":"^[0-9]+s$"},
              "zones":{"type":"array","maxItems":2,"items":{"type":"string"},"x-kubernetes-list-type":"set"},
              "note":{"type":"string","nullable":true}}},
            "status":{"type":"object","properties":{"done":{"type":"integer"}}}}}}}]}}
        """;

    private readonly SimulatedCluster _cluster =
        SimulatedCluster.Create(Scenario.Named("healthy"), TimeProvider.System, NullLoggerFactory.Instance);

    private HttpClient _client = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _cluster.StartAsync(Token);
        _client = new HttpClient(_cluster.Api.CreateHandler()) { BaseAddress = new Uri("http://simulated/") };
        (await DefineAsync(Definition)).Code.ShouldBe(201);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task OpenAPI_names_the_fields_of_an_object_that_is_open_for_others()
    {
        var document = JsonNode.Parse(await _client.GetStringAsync("openapi/v3/apis/kubevirt.io/v1", Token));

        var spec = document.At("components", "schemas", "io.kubevirt.v1.VirtualMachineInstance", "properties", "spec", "properties");
        spec.Text("evictionStrategy", "description").ShouldNotBeNull().ShouldContain("LiveMigrateIfPossible");
    }

    [Theory]
    [InlineData("""{"least":7}""", "spec: Invalid value: \"object\": least may not be above most")]
    [InlineData("""{"least":1,"most":10,"mode":"strict"}""", "spec.most: Forbidden: strict allows 9, not 10")]
    [InlineData("""{"least":-1}""", "spec.least: Invalid value: -1: spec.least in body should be greater than or equal to 0")]
    [InlineData("""{"least":1,"most":101}""", "spec.most: Invalid value: 101: spec.most in body should be less than or equal to 100")]
    [InlineData("""{"least":1,"mode":"loose"}""", "spec.mode: Unsupported value: \"loose\": supported values: \"strict\", \"lenient\"")]
    [InlineData("""{"least":1,"wait":"soon"}""", "spec.wait: Invalid value: \"soon\": spec.wait in body should match '^[0-9]+s$'")]
    [InlineData("""{"least":1,"id":"abcdef"}""",
        "[spec.id: Too long: may not be more than 5 bytes, <nil>: Invalid value: \"null\": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]")]
    [InlineData("""{"least":1,"zones":["a","a"]}""", "spec.zones[1]: Duplicate value: \"a\"")]
    [InlineData("""{"least":1,"zones":["a","b","c"]}""",
        "[spec.zones: Too many: 3: must have at most 2 items, <nil>: Invalid value: \"null\": some validation rules were not checked because the object was invalid; correct the existing errors to complete validation]")]
    public async Task An_object_that_breaks_its_schema_or_a_rule_is_refused(string spec, string complaint)
    {
        var answer = await SendAsync(HttpMethod.Post, Policies, Policy(spec));

        (answer.Code, answer.Body.Text("message")).ShouldBe((422, $"Policy.test.example.com \"a\" is invalid: {complaint}"));
    }

    [Fact]
    public async Task Defaults_are_filled_in_and_a_null_stays_only_where_it_may()
    {
        var answer = await SendAsync(HttpMethod.Post, Policies, Policy("""{"least":1,"most":null,"note":null}"""));

        answer.Code.ShouldBe(201, answer.Text);
        answer.Body!["spec"]!.ToJsonString().ShouldBe("""{"least":1,"most":5,"note":null,"id":"none"}""");
    }

    [Fact]
    public async Task A_rule_about_the_past_is_asked_when_there_is_one()
    {
        (await SendAsync(HttpMethod.Post, Policies, Policy("""{"least":1,"id":"one"}"""))).Code.ShouldBe(201);

        var changed = await SendAsync(HttpMethod.Patch, $"{Policies}/a", """{"spec":{"id":"two"}}""");
        var kept = await SendAsync(HttpMethod.Patch, $"{Policies}/a", """{"spec":{"least":2}}""");

        changed.Body.Text("message").ShouldBe("Policy.test.example.com \"a\" is invalid: spec: Invalid value: \"object\": id is immutable");
        kept.Code.ShouldBe(200);
    }

    [Fact]
    public async Task What_a_stricter_rule_would_refuse_may_stay_while_nobody_touches_it()
    {
        (await SendAsync(HttpMethod.Post, Policies, Policy("""{"least":4}"""))).Code.ShouldBe(201);
        var stricter = JsonNode.Parse(Definition)!.AsObject();
        stricter["spec"]!["versions"]![0]!["schema"]!["openAPIV3Schema"]!["properties"]!["spec"]!["x-kubernetes-validations"]![0]!["rule"] = "self.least < 3";
        (await SendAsync(HttpMethod.Patch, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/policies.test.example.com", stricter.ToJsonString()))
            .Code.ShouldBe(200);

        (await SendAsync(HttpMethod.Patch, $"{Policies}/a/status", """{"status":{"done":1}}""")).Code.ShouldBe(200);
        (await SendAsync(HttpMethod.Patch, $"{Policies}/a", """{"spec":{"most":6}}""")).Code.ShouldBe(422);
    }

    [Fact]
    public async Task A_table_has_the_columns_of_the_definition()
    {
        await SendAsync(HttpMethod.Post, Policies, Policy("""{"least":1}"""));
        using var request = new HttpRequestMessage(HttpMethod.Get, Policies);
        request.Headers.TryAddWithoutValidation("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
        using var response = await _client.SendAsync(request, Token);
        var table = JsonNode.Parse(await response.Content.ReadAsStringAsync(Token))!;

        table["columnDefinitions"]!.AsArray().Select(each => each.Text("name")).ShouldBe(["Name", "Most"]);
        table["rows"]![0]!["cells"]!.ToJsonString().ShouldBe("""["a",5]""");
    }

    [Theory]
    [InlineData("self.least <= self.most", "self.least <=",
        "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: \"self.least <=\": compilation failed")]
    [InlineData("policies.test.example.com", "rules.test.example.com", "metadata.name: Invalid value: \"rules.test.example.com\": must be spec.names.plural+\".\"+spec.group")]
    [InlineData("\"storage\":true", "\"storage\":false", "spec.versions: Invalid value: [\"v1\"]: must have exactly one version marked as storage version")]
    public async Task A_definition_that_could_not_be_followed_is_refused(string what, string by, string complaint)
    {
        await SendAsync(HttpMethod.Delete, "apis/apiextensions.k8s.io/v1/customresourcedefinitions/policies.test.example.com", null);

        var answer = await DefineAsync(Definition.Replace(what, by, StringComparison.Ordinal));

        answer.Code.ShouldBe(422);
        answer.Body.Text("message").ShouldNotBeNull().ShouldContain(complaint);
    }

    private static string Policy(string spec) =>
        $$"""{"apiVersion":"test.example.com/v1","kind":"Policy","metadata":{"name":"a"},"spec":{{spec}} }""";

    private Task<Answer> DefineAsync(string definition) =>
        SendAsync(HttpMethod.Post, "apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition);

    private async Task<Answer> SendAsync(HttpMethod method, string path, string? body)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(
                method == HttpMethod.Patch ? "application/merge-patch+json" : "application/json"));
        }

        using var response = await _client.SendAsync(request, Token);

        return Answer.Of(response, await response.Content.ReadAsStringAsync(Token));
    }
}
