using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Drydock.Api;
using Drydock.Server;
using Drydock.Server.Callers;
using Drydock.Simulator.Api;
using Drydock.Simulator.Store;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Who may do what, against the real server, with tokens that the simulated cluster knows and the roles that are deployed.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    /// <summary>It says of itself that it ended in 2001: <c>{"exp":1000000000}</c>.</summary>
    private const string ExpiredJwt = "e30.eyJleHAiOjEwMDAwMDAwMDB9.c2ln";

    private readonly Lines _log = new();
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    private Access Cluster => _harbour.Cluster.Api.Access;

    public async ValueTask InitializeAsync()
    {
        _harbour = await Harbour.OpenAsync(Token, configure: Configure, services: services => services.AddLogging(logging => logging.ClearProviders().AddProvider(_log)));
        foreach (var role in (string[])["viewer", "operator", "admin"])
        {
            Install("clusterroles", File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Deployment", $"clusterrole-{role}.yaml")));
            Install("clusterrolebindings", $$"""
                apiVersion: rbac.authorization.k8s.io/v1
                kind: ClusterRoleBinding
                metadata: {name: {{role}}}
                roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: drydock-{{role}}}
                subjects: [{kind: Group, name: {{role}}s}]
                """);
            Cluster.AddToken(role, role, role + "s");
        }

        Cluster.AddToken("stranger", "stranger");

        // One that the cluster does not take any more, and one whose end a cluster with a slow clock has not seen.
        Cluster.AddToken("expired", "admin", "admins");
        Cluster.RemoveToken("expired");
        Cluster.AddToken(ExpiredJwt, "admin", "admins");
    }

    public ValueTask DisposeAsync() => _harbour.DisposeAsync();

    [Theory]
    [InlineData("api/v1/maintenances")]
    [InlineData("api/v1/nothing")]
    [InlineData("openapi/v1.json")]
    [InlineData("docs")]
    [InlineData("metrics")]
    public async Task Nobody_without_a_token_gets_anything_but_probes(string path)
    {
        var answer = await _harbour.Http.GetAsync(path, Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        answer.Headers.WwwAuthenticate.Single().Scheme.ShouldBe("Bearer");
        (await answer.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, Token))!.Type.ShouldBe(ProblemTypes.Unauthenticated);
        (await _harbour.Http.GetAsync("healthz", Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await _harbour.Http.GetAsync("readyz", Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("Bearer wrong")]
    [InlineData("Bearer")]
    [InlineData("Bearer two words")]
    [InlineData("Basic dmlld2VyOnZpZXdlcg==")]
    [InlineData("Bearer expired")]
    [InlineData("Bearer " + ExpiredJwt)]
    public async Task A_token_that_the_cluster_does_not_know_or_that_has_expired_is_no_token(string header)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "api/v1/maintenances");
        request.Headers.TryAddWithoutValidation("Authorization", header);

        (await _harbour.Http.SendAsync(request, Token)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Somebody_without_rights_is_told_the_verb_and_the_resource_and_changes_nothing()
    {
        var refused = await Should.ThrowAsync<ApiProblemException>(() => As("stranger").CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1" }, null, Token));

        refused.Problem.Status.ShouldBe(403);
        refused.Problem.Type.ShouldBe(ProblemTypes.Forbidden);
        (refused.Problem.Verb, refused.Problem.Resource).ShouldBe(("create", "nodemaintenances.nodemaintenance.medik8s.io"));
        refused.Problem.Detail.ShouldContain("stranger may not create");
        (await As("viewer").ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_viewer_looks_and_an_operator_acts_and_who_it_was_is_recorded()
    {
        var viewer = As("viewer");
        await viewer.PlanAsync(new MaintenanceCreate { Node = "node-1" }, Token);
        await Should.ThrowAsync<ApiProblemException>(() => viewer.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1" }, null, Token));

        var real = await As("operator").CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Hold", Reason = "fan 2 is loud" }, null, Token);
        await Should.ThrowAsync<ApiProblemException>(() => viewer.CancelMaintenanceAsync(real.Id, null, Token));
        await Should.ThrowAsync<ApiProblemException>(() => viewer.ResumeMaintenanceAsync(real.Id, null, null, Token));
        await As("operator").SuspendMaintenanceAsync(real.Id, "the part is late", null, Token);
        await As("operator").CancelMaintenanceAsync(real.Id, "wrong node", Token);

        real.RequestedBy.ShouldBe("operator");
        (await HistoryAsync(viewer, real.Id)).ShouldContain(static line => line.Kind == "started" && line.Data!.Contains("\"RequestedFrom\":\"127.0.0.1\"", StringComparison.OrdinalIgnoreCase));
        var audit = _log.All.Where(static line => line.StartsWith("Audit:", StringComparison.Ordinal)).ToList();
        audit.ShouldContain(line => line.Contains("operator from 127.0.0.1 asked POST /api/v1/maintenances") && line.Contains("'fan 2 is loud'") && line.Contains(": 201"));
        audit.ShouldContain(line => line.Contains($"viewer from 127.0.0.1 asked POST /api/v1/maintenances/{real.Id}/cancel") && line.Contains(": 403"));
        audit.ShouldContain(line => line.Contains($"viewer from 127.0.0.1 asked POST /api/v1/maintenances/{real.Id}/resume") && line.Contains(": 403"));
        audit.ShouldContain(line => line.Contains($"operator from 127.0.0.1 asked POST /api/v1/maintenances/{real.Id}/suspend") && line.Contains("'the part is late'") && line.Contains(": 202"));
        audit.ShouldContain(line => line.Contains($"operator from 127.0.0.1 asked POST /api/v1/maintenances/{real.Id}/cancel") && line.Contains("'wrong node'"));
    }

    [Fact]
    public async Task Force_and_a_reboot_need_a_permission_of_their_own_wherever_they_stand()
    {
        var force = new MaintenanceSettings { Drain = new DrainSettings { OnTimeout = "force" } };
        var api = As("operator");

        await RefusedAsync(() => api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Drain = force.Drain }, null, Token), "nodemaintenances/force");
        await RefusedAsync(() => api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Drain = new DrainSettings { GracePeriod = "0s" } }, null, Token), "nodemaintenances/force");
        await RefusedAsync(() => api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Action = "Reboot" }, null, Token), "nodemaintenances/privileged");
        await RefusedAsync(() => api.CreateRolloutAsync(new RolloutCreate { Nodes = ["node-1"], Maintenance = force }, null, Token), "nodemaintenances/force");
        (await As("admin").CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Drain = force.Drain }, null, Token)).RequestedBy.ShouldBe("admin");
    }

    [Fact]
    public async Task A_job_of_ones_own_needs_the_right_to_create_jobs_in_its_namespace_wherever_it_stands()
    {
        var own = JsonSerializer.SerializeToElement(new
        {
            metadata = new { @namespace = "ops" },
            spec = new { template = new { spec = new { containers = new[] { new { name = "one", image = "busybox" } } } } },
        });
        var asked = new MaintenanceCreate { Node = "node-1", Action = "Job", ActionOptions = new ActionSettings { Manifest = own } };
        var hook = new MaintenanceSettings { Hooks = new HookSettings { BeforeDrain = [new HookAction { Kind = "Job", Manifest = own }] } };

        var refused = await Should.ThrowAsync<ApiProblemException>(() => As("admin").CreateMaintenanceAsync(asked, null, Token));
        await RefusedAsync(() => As("admin").CreateRolloutAsync(new RolloutCreate { Nodes = ["node-1"], Maintenance = hook }, null, Token), "jobs.batch");
        GrantJobs("elsewhere");
        await RefusedAsync(() => As("admin").CreateMaintenanceAsync(asked, null, Token), "jobs.batch");
        GrantJobs("ops");
        var started = await As("admin").CreateMaintenanceAsync(asked, null, Token);

        (refused.Problem.Status, refused.Problem.Verb, refused.Problem.Resource).ShouldBe((403, "create", "jobs.batch"));
        refused.Problem.Detail.ShouldBe(
            "admin may not create jobs.batch in namespace ops, so no request of his may bring one there. Name a job of a policy instead, or ask for a Role that grants it.");
        started.RequestedBy.ShouldBe("admin");
    }

    [Fact]
    public async Task A_right_that_is_taken_away_is_gone_within_seconds_and_one_that_is_given_is_there_at_once()
    {
        await RefusedAsync(() => As("stranger").ListMaintenancesAsync(null, onlyRunning: false, null, Token), "nodemaintenances");
        Install("clusterrolebindings", """
            apiVersion: rbac.authorization.k8s.io/v1
            kind: ClusterRoleBinding
            metadata: {name: stranger}
            roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: drydock-viewer}
            subjects: [{kind: User, name: stranger}]
            """);

        (await As("stranger").ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldBeEmpty();

        // How many seconds, KubernetesCallersTests say with a clock of their own.
        _harbour.Cluster.Store.Delete(_harbour.Cluster.Store.Types.Single(static type => type.Plural == "clusterrolebindings"), null, "stranger", new Deletion()).ShouldNotBeNull();
        var status = HttpStatusCode.OK;
        while (status == HttpStatusCode.OK)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Token);
            using var answer = await SendAsync(_harbour.Http, "stranger", "api/v1/maintenances");
            status = answer.StatusCode;
        }

        status.ShouldBe(HttpStatusCode.Forbidden);
    }

    [Fact]
    public async Task Tokens_are_reviewed_once_and_not_at_every_request()
    {
        var api = As("viewer");
        var since = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < 10; i++)
        {
            await api.ListMaintenancesAsync(null, onlyRunning: false, null, Token);
        }

        // An answer is believed for ten seconds, which are over sooner than ten requests on a machine that stands still meanwhile.
        var atMost = 1 + (int)(TimeProvider.System.GetElapsedTime(since) / TimeSpan.FromSeconds(10));
        _harbour.Cluster.Api.RequestLog.Of("create", "tokenreviews.authentication.k8s.io").Count.ShouldBeInRange(1, atMost);
        _harbour.Cluster.Api.RequestLog.Of("create", "subjectaccessreviews.authorization.k8s.io").Count.ShouldBeInRange(1, atMost);
    }

    [Fact]
    public async Task A_cluster_that_does_not_answer_about_a_caller_is_503_and_lets_nobody_in()
    {
        using var fault = _harbour.Cluster.Api.Fail(new Fault { ConnectionReset = true });

        var problem = await Should.ThrowAsync<ApiProblemException>(() => As("admin").ListMaintenancesAsync(null, onlyRunning: false, null, Token));

        problem.Problem.Status.ShouldBe(503);
    }

    [Fact]
    public async Task A_caller_that_sends_more_than_its_share_is_told_when_to_come_back_and_others_are_not()
    {
        await using var small = await Harbour.OpenAsync(Token, configure: static options => options with { Access = new AccessOptions { Mode = AccessMode.Kubernetes, RequestsPerSecond = 1 } });
        small.Cluster.Api.Access.AddToken("greedy", "greedy");

        // Together: one after the other, a slow machine could be as slow as it may.
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => SendAsync(small.Http, "greedy", "api/v1/maintenances")));

        var refused = answers.Where(static answer => answer.StatusCode == HttpStatusCode.TooManyRequests).ToList();
        refused.ShouldNotBeEmpty();
        refused[0].Headers.RetryAfter!.Delta.ShouldNotBeNull().ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(1));
        (await SendAsync(small.Http, "modest", "api/v1/maintenances")).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await small.Http.GetAsync("healthz", Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    private void GrantJobs(string @namespace)
    {
        Install("roles", $$"""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata: {name: jobs, namespace: {{@namespace}}}
            rules: [{apiGroups: [batch], resources: [jobs], verbs: [create]}]
            """);
        Install("rolebindings", $$"""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata: {name: jobs, namespace: {{@namespace}}}
            roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: jobs}
            subjects: [{kind: User, name: admin}]
            """);
    }

    private static DrydockOptions Configure(DrydockOptions options) =>
        options with { Access = new AccessOptions { Mode = AccessMode.Kubernetes }, LogLevel = LogLevel.Information };

    private DrydockApiClient As(string token)
    {
        var http = new HttpClient { BaseAddress = _harbour.Http.BaseAddress, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        http.DefaultRequestHeaders.Add(DrydockApiClient.UserHeader, "somebody-else");
        return new DrydockApiClient(http);
    }

    /// <summary>The history, once there is one: it is empty until the first turn is committed.</summary>
    private async Task<IReadOnlyList<HistoryEventView>> HistoryAsync(DrydockApiClient api, string id)
    {
        IReadOnlyList<HistoryEventView> history;
        while ((history = await api.GetHistoryAsync(id, Token)).Count == 0)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Token);
        }

        return history;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpClient http, string token, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return await http.SendAsync(request, Token);
    }

    private static async Task RefusedAsync(Func<Task> call, string resource)
    {
        var refused = await Should.ThrowAsync<ApiProblemException>(call);
        refused.Problem.Status.ShouldBe(403, refused.Message);
        refused.Problem.Resource.ShouldStartWith(resource);
    }

    private void Install(string plural, string yaml) => _harbour.Cluster.Store.Create(
        _harbour.Cluster.Store.Types.Single(type => type.Plural == plural), Yaml.Read(yaml)!.AsObject());

    /// <summary>What the server logged.</summary>
    private sealed class Lines : ILoggerProvider, ILogger
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> All => [.. _lines];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _lines.Enqueue(formatter(state, exception));

        public void Dispose()
        {
        }
    }
}
