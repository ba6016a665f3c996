using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>The OpenAPI document and its page: what it says of the server at work is so.</summary>
public sealed class DocumentTests : IAsyncLifetime
{
    // It sends a body only when the server asks for it: one that is refused before would else break off in the middle.
    private readonly HttpClient _asking = new(new SocketsHttpHandler { Expect100ContinueTimeout = TimeSpan.FromMinutes(1) });

    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    private HttpClient Http => _harbour.Http;

    public async ValueTask InitializeAsync() => _harbour = await Harbour.OpenAsync(Token);

    public async ValueTask DisposeAsync()
    {
        _asking.Dispose();
        await _harbour.DisposeAsync();
    }

    [Fact]
    public async Task The_document_describes_every_operation_its_permission_and_its_errors()
    {
        var document = (await Http.GetFromJsonAsync<JsonNode>("openapi/v1.json", Token))!;

        document["openapi"]!.ToString().ShouldStartWith("3.1");
        document["info"]!["description"]!.ToString().ShouldContain("| `create nodemaintenances.nodemaintenance.medik8s.io` | operator |");
        foreach (var (path, methods) in document["paths"]!.AsObject())
        {
            foreach (var (method, operation) in methods!.AsObject())
            {
                var where = $"{method} {path}";
                operation!["summary"].ShouldNotBeNull(where);
                operation["responses"]!.AsObject().ContainsKey("429").ShouldBe(path.StartsWith("/api/", StringComparison.Ordinal), where);
                if (path.StartsWith("/api/", StringComparison.Ordinal) && !path.Contains("/callbacks/", StringComparison.Ordinal))
                {
                    operation["description"]!.ToString().ShouldContain("Needs `", Case.Sensitive, where);
                }
            }
        }
    }

    [Fact]
    public async Task Every_operation_is_in_the_document_with_examples_that_the_server_takes()
    {
        var document = (await Http.GetFromJsonAsync<JsonNode>("openapi/v1.json", Token))!;
        var operations = document["paths"]!.AsObject().Where(static path => path.Key.StartsWith("/api/", StringComparison.Ordinal))
            .SelectMany(static path => path.Value!.AsObject().Select(method => (Name: (string)method.Value!["operationId"]!, Path: path.Key, Operation: method.Value!))).ToList();

        string[] wanted =
        [
            "PlanMaintenance", "PlanMaintenances", "CreateMaintenance", "ListMaintenances", "GetMaintenance", "GetMaintenanceHistory", "GetStoredHistory", "WatchMaintenance",
            "ListMaintenancePods", "ListMaintenanceVms", "CancelMaintenance", "CompleteMaintenance", "SuspendMaintenance", "ResumeMaintenance", "ExtendMaintenance", "ApproveMaintenance", "RejectMaintenance", "CallBack",
            "CreateRollout", "ListRollouts", "GetRollout", "WatchRollout", "CancelRollout", "StopRollout", "PauseRollout", "ResumeRollout", "SkipRolloutNode", "RetryRolloutNode",
            "CreateWindow", "ListWindows", "GetWindow", "DeleteWindow", "ListNodes", "GetNode", "ListVms", "GetVm", "StartVm", "StopVm", "RestartVm", "MigrateVm",
        ];
        operations.Select(static each => each.Name).ShouldBe(wanted, ignoreOrder: true);
        foreach (var (name, path, operation) in operations)
        {
            var bodies = operation["responses"]!.AsObject().SelectMany(static answer => answer.Value!["content"]?.AsObject().Where(static body => body.Key.Contains("json", StringComparison.Ordinal)) ?? []);
            bodies.ShouldAllBe(body => body.Value!["example"] != null || name == "GetStoredHistory", name);
            if (operation["requestBody"]?["content"]?["application/json"] is { } body)
            {
                // A start has nothing to say.
                (body["example"] is not null || name == "StartVm").ShouldBeTrue(name);
                var sent = new StringContent(body["example"]?.ToJsonString() ?? "{}", System.Text.Encoding.UTF8, "application/json");
                var answer = await Http.PostAsync(path.Replace("{id}", "none").Replace("{name}", "none").Replace("{ns}", "none").Replace("{action}", "none"), sent, Token);
                var problem = await answer.Content.ReadAsStringAsync(Token);

                // What an example names need not be there; what it says of itself is right.
                ((int)answer.StatusCode).ShouldBeOneOf([200, 201, 202, 400, 401, 404, 409], $"{name}: {problem}");
                foreach (var wrong in (string[])["one of the fields", "duration", "true or false", "only for", "at most"])
                {
                    problem.ShouldNotContain(wrong, Case.Insensitive, $"{name}: {problem}");
                }
            }
        }
    }

    [Fact]
    public async Task What_is_refused_by_the_form_of_a_request_is_what_the_document_says()
    {
        var operations = await OperationsAsync();
        operations.Count.ShouldBeGreaterThan(35);
        foreach (var (name, method, path, operation) in operations.Where(static each => each.Method != HttpMethod.Get))
        {
            var form = await SendAsync(method, path, new StringContent("node=node-1", Encoding.UTF8, "application/x-www-form-urlencoded"), null);
            var large = await SendAsync(method, path, new StringContent(new string(' ', 2_000_000), Encoding.UTF8, "application/json"), null);

            Says(operation, 415).ShouldBe(form == HttpStatusCode.UnsupportedMediaType, $"{name} answers a form with {form}");
            Says(operation, 413).ShouldBe(large == HttpStatusCode.RequestEntityTooLarge, $"{name} answers two megabytes with {large}");
        }
    }

    [Fact]
    public async Task What_can_be_changed_only_as_it_was_seen_is_what_the_document_says()
    {
        var held = await _harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold" }, null, Token);
        var rollout = await _harbour.Api.CreateRolloutAsync(new RolloutCreate { Nodes = ["node-1"] }, null, Token);
        await _harbour.Api.CreateWindowAsync(new WindowCreate { Name = "yearly", Cron = FarDate.Cron, Duration = "1h", Rollout = new RolloutCreate { Nodes = ["node-3"] } }, Token);
        var vm = (await _harbour.Api.ListVirtualMachinesAsync(null, null, Token))[0];
        foreach (var (name, method, path, operation) in (await OperationsAsync()).Where(static each => each.Method != HttpMethod.Get && !each.Path.Contains("/callbacks/", StringComparison.Ordinal)))
        {
            var real = path.Replace("{id}", path.Contains("/rollouts/", StringComparison.Ordinal) ? rollout.Id : held.Id).Replace("{name}", path.Contains("/vms/", StringComparison.Ordinal) ? vm.Name : "yearly").Replace("{ns}", vm.Namespace);
            var status = await SendAsync(method, real, new StringContent("{}", Encoding.UTF8, "application/json"), new EntityTagHeaderValue("\"old\""));

            Says(operation, 412).ShouldBe(status == HttpStatusCode.PreconditionFailed, $"{name} answers a version that is none with {status}");
            (operation["parameters"]?.AsArray().Any(static parameter => (string?)parameter!["name"] == "If-Match") == true).ShouldBe(Says(operation, 412), name);
        }

        (await _harbour.Api.GetMaintenanceAsync(held.Id, Token)).State.ShouldNotBe(MaintenanceState.Cancelled);
        _harbour.Cluster.Api.RequestLog.All.ShouldNotContain(static request => request.Verb == "update" && (request.Subresource == "restart" || request.Subresource == "stop" || request.Subresource == "migrate"));
    }

    [Fact]
    public async Task A_machine_is_called_only_as_the_caller_saw_it()
    {
        var vm = (await _harbour.Api.ListVirtualMachinesAsync(null, null, Token))[0];
        var path = $"api/v1/vms/{vm.Namespace}/{vm.Name}";
        using var seen = await Http.GetAsync(path, Token);
        var tag = seen.Headers.ETag.ShouldNotBeNull();

        (await SendAsync(HttpMethod.Post, $"{path}:restart", new StringContent("{}", Encoding.UTF8, "application/json"), tag)).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task The_browsable_documents_need_nothing_from_elsewhere()
    {
        var page = await Http.GetStringAsync("docs", Token);

        System.Text.RegularExpressions.Regex.Matches(page, "(?:src|href)=\"(?<to>https?:)?//", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)).ShouldBeEmpty(page);
    }

    private static bool Says(JsonNode operation, int status) => operation["responses"]!.AsObject().ContainsKey($"{status}");

    private async Task<List<(string Name, HttpMethod Method, string Path, JsonNode Operation)>> OperationsAsync()
    {
        var document = (await Http.GetFromJsonAsync<JsonNode>("openapi/v1.json", Token))!;
        return
        [
            .. document["paths"]!.AsObject().Where(static path => path.Key.StartsWith("/api/", StringComparison.Ordinal)).SelectMany(static path => path.Value!.AsObject()
                .Select(method => ((string)method.Value!["operationId"]!, HttpMethod.Parse(method.Key.ToUpperInvariant()), path.Key, method.Value!))),
        ];
    }

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string path, HttpContent body, EntityTagHeaderValue? ifMatch)
    {
        using var request = new HttpRequestMessage(method, new Uri(Http.BaseAddress!, path.Replace("{id}", "none").Replace("{name}", "none").Replace("{ns}", "none").Replace("{action}", "none"))) { Content = body };
        request.Headers.ExpectContinue = true;
        if (ifMatch is not null)
        {
            request.Headers.IfMatch.Add(ifMatch);
        }

        using var answer = await _asking.SendAsync(request, Token);
        return answer.StatusCode;
    }
}
