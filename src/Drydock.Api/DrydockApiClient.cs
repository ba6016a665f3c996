using System.Net.Http.Json;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;

namespace Drydock.Api;

/// <summary>
/// Talks to a Drydock server. Each method throws <see cref="ApiProblemException"/> if the server says no and
/// <see cref="HttpRequestException"/> if it cannot be reached.
/// </summary>
/// <param name="http">Its <see cref="HttpClient.BaseAddress"/> is the server's address. Watching needs an infinite <see cref="HttpClient.Timeout"/>.</param>
public sealed class DrydockApiClient(HttpClient http)
{
    /// <summary>The header that makes a repeated create harmless.</summary>
    public const string IdempotencyKeyHeader = "Idempotency-Key";

    // What the server gives at most at once.
    private const int LargestPage = 500;

    /// <summary>The header in which a caller on loopback says who it is.</summary>
    public const string UserHeader = "Drydock-User";

    /// <summary>A client for the address, with a connection of its own.</summary>
    /// <param name="server">Such as <c>http://127.0.0.1:5480</c>.</param>
    /// <param name="user">Who asks, such as <c>cli:ada@laptop</c>; null if nobody in particular.</param>
    /// <param name="handler">What sends the requests, such as one that adds a token; null for a plain one.</param>
    public static DrydockApiClient For(Uri server, string? user = null, HttpMessageHandler? handler = null)
    {
        var http = new HttpClient(handler ?? new SocketsHttpHandler()) { BaseAddress = server, Timeout = Timeout.InfiniteTimeSpan };
        if (user is not null)
        {
            http.DefaultRequestHeaders.TryAddWithoutValidation(UserHeader, user);
        }

        return new DrydockApiClient(http);
    }

    /// <summary>Starts a maintenance. With the same key and request, a second call returns the maintenance of the first.</summary>
    public Task<MaintenanceView> CreateMaintenanceAsync(MaintenanceCreate request, string? idempotencyKey, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(HttpMethod.Post, "api/v1/maintenances", request, idempotencyKey, cancellationToken);

    /// <summary>One page of maintenances, the newest first.</summary>
    public Task<MaintenanceList> ListMaintenancesAsync(string? node, bool onlyRunning, string? after, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceList>(
            HttpMethod.Get, $"api/v1/maintenances{Query(("node", node), ("running", onlyRunning ? "true" : null), ("after", after))}", null, null, cancellationToken);

    /// <summary>One maintenance.</summary>
    public Task<MaintenanceView> GetMaintenanceAsync(string id, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(HttpMethod.Get, $"api/v1/maintenances/{Uri.EscapeDataString(id)}", null, null, cancellationToken);

    /// <summary>One page of the pods that a maintenance had to evict.</summary>
    public Task<PodList> ListPodsAsync(string id, string? after, CancellationToken cancellationToken) =>
        SendAsync<PodList>(HttpMethod.Get, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/pods{Query(("after", after))}", null, null, cancellationToken);

    /// <summary>One page of nodes, by name.</summary>
    public Task<NodeList> ListNodesAsync(string? after, CancellationToken cancellationToken) =>
        SendAsync<NodeList>(HttpMethod.Get, $"api/v1/nodes{Query(("after", after))}", null, null, cancellationToken);

    /// <summary>One node.</summary>
    public Task<NodeView> GetNodeAsync(string name, CancellationToken cancellationToken) =>
        SendAsync<NodeView>(HttpMethod.Get, $"api/v1/nodes/{Uri.EscapeDataString(name)}", null, null, cancellationToken);

    /// <summary>Yields the maintenance as it stands and then after each change; ends when it is over or the server goes.</summary>
    public IAsyncEnumerable<MaintenanceView> WatchMaintenanceAsync(string id, CancellationToken cancellationToken) =>
        WatchAsync<MaintenanceView>($"api/v1/maintenances/{Uri.EscapeDataString(id)}/events", "maintenance", cancellationToken);

    /// <summary>Yields the rollout as it stands and then after each change; ends when it is over or the server goes.</summary>
    public IAsyncEnumerable<RolloutView> WatchRolloutAsync(string id, CancellationToken cancellationToken) =>
        WatchAsync<RolloutView>($"api/v1/rollouts/{Uri.EscapeDataString(id)}/events", "rollout", cancellationToken);

    /// <summary>Asks to cancel; returns when that is durable, not when it is done.</summary>
    public Task<MaintenanceView> CancelMaintenanceAsync(string id, string? reason, CancellationToken cancellationToken) =>
        CancelMaintenanceAsync(id, reason, migrations: null, cancellationToken);

    /// <summary>The same, with what becomes of migrations that run.</summary>
    public Task<MaintenanceView> CancelMaintenanceAsync(string id, string? reason, string? migrations, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/cancel", new MaintenanceCancelRequest(reason, migrations), null, cancellationToken);

    /// <summary>Lets a held node go on; returns when that is durable, not when it is done.</summary>
    public Task<MaintenanceView> CompleteMaintenanceAsync(string id, bool skipHealth, CancellationToken cancellationToken) =>
        CompleteMaintenanceAsync(id, skipHealth, reason: null, cancellationToken);

    /// <summary>The same, with why.</summary>
    public Task<MaintenanceView> CompleteMaintenanceAsync(string id, bool skipHealth, string? reason, CancellationToken cancellationToken) =>
        CompleteMaintenanceAsync(id, new CompleteRequest(skipHealth, reason), cancellationToken);

    /// <summary>The same, with which wait.</summary>
    public Task<MaintenanceView> CompleteMaintenanceAsync(string id, CompleteRequest request, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/complete", request, null, cancellationToken);

    /// <summary>Lets nothing new begin until it is resumed; returns when that is durable.</summary>
    /// <param name="id">The maintenance.</param>
    /// <param name="reason">Why, or null.</param>
    /// <param name="idempotencyKey">Makes a repetition harmless, also after a resume; null: every call is a new wish.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    public Task<MaintenanceView> SuspendMaintenanceAsync(string id, string? reason, string? idempotencyKey, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/suspend", new SteerRequest(reason), idempotencyKey, cancellationToken);

    /// <summary>Lets a suspended one go on, its deadlines moved by the time it was suspended; returns when that is durable.</summary>
    /// <param name="id">The maintenance.</param>
    /// <param name="reason">Why, or null.</param>
    /// <param name="idempotencyKey">Makes a repetition harmless; null: every call is a new wish.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    public Task<MaintenanceView> ResumeMaintenanceAsync(string id, string? reason, string? idempotencyKey, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/resume", new SteerRequest(reason), idempotencyKey, cancellationToken);

    /// <summary>Moves the deadline of the step in hand; returns when that is durable.</summary>
    /// <param name="id">The maintenance.</param>
    /// <param name="by">By how much, such as <c>30m</c>.</param>
    /// <param name="reason">Why, or null.</param>
    /// <param name="idempotencyKey">Makes a repetition harmless; null: each call moves it further.</param>
    /// <param name="cancellationToken">Gives up waiting for the answer.</param>
    public Task<MaintenanceView> ExtendMaintenanceAsync(
        string id, string? by, string? reason, string? idempotencyKey, CancellationToken cancellationToken) => SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/extend", new ExtendRequest(by, reason), idempotencyKey, cancellationToken);

    /// <summary>Approves the gate at which a maintenance waits; returns when that is durable.</summary>
    public Task<MaintenanceView> ApproveMaintenanceAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/approve", new DecisionRequest(reason), null, cancellationToken);

    /// <summary>Rejects the gate at which a maintenance waits; returns when that is durable.</summary>
    public Task<MaintenanceView> RejectMaintenanceAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<MaintenanceView>(
            HttpMethod.Post, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/reject", new DecisionRequest(reason), null, cancellationToken);

    /// <summary>Everything that happened in a maintenance and its parts, in order of time, page by page to the end.</summary>
    public Task<IReadOnlyList<HistoryEventView>> GetHistoryAsync(string id, CancellationToken cancellationToken) => AllAsync(
        async after => await GetHistoryPageAsync(id, LargestPage, after, cancellationToken) is var page ? (page.Items, page.Next) : default);

    /// <summary>One page of what happened in a maintenance and its parts, in order of time.</summary>
    public Task<HistoryPage> GetHistoryPageAsync(string id, int limit, string? after, CancellationToken cancellationToken) =>
        SendAsync<HistoryPage>(
            HttpMethod.Get, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/history{Query(("limit", $"{limit}"), ("after", after))}", null, null, cancellationToken);

    /// <summary>What draining several nodes together would do.</summary>
    public Task<PlansView> PlanTogetherAsync(PlanCreate request, CancellationToken cancellationToken) =>
        SendAsync<PlansView>(HttpMethod.Post, "api/v1/maintenances:plan", request, null, cancellationToken);

    /// <summary>The histories of a maintenance and its parts as they are stored, for a replay by another version of the code.</summary>
    public Task<System.Text.Json.JsonElement> GetStoredHistoryAsync(string id, CancellationToken cancellationToken) =>
        SendAsync<System.Text.Json.JsonElement>(
            HttpMethod.Get, $"api/v1/maintenances/{Uri.EscapeDataString(id)}/history/stored", null, null, cancellationToken);

    /// <summary>What a maintenance would do; nothing is changed.</summary>
    public Task<PlanView> PlanAsync(MaintenanceCreate request, CancellationToken cancellationToken) =>
        SendAsync<PlanView>(HttpMethod.Post, "api/v1/plans", request, null, cancellationToken);

    /// <summary>Starts a rollout.</summary>
    public Task<RolloutView> CreateRolloutAsync(RolloutCreate request, string? idempotencyKey, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(HttpMethod.Post, "api/v1/rollouts", request, idempotencyKey, cancellationToken);

    /// <summary>One page of rollouts, the newest first.</summary>
    public Task<RolloutList> ListRolloutsAsync(string? after, CancellationToken cancellationToken) =>
        SendAsync<RolloutList>(HttpMethod.Get, $"api/v1/rollouts{Query(("after", after))}", null, null, cancellationToken);

    /// <summary>All rollouts, the newest first, page by page to the end.</summary>
    public Task<IReadOnlyList<RolloutView>> ListAllRolloutsAsync(CancellationToken cancellationToken) => AllAsync(
        async after => await ListRolloutsAsync(after, cancellationToken) is var page ? (page.Items, page.Next) : default);

    /// <summary>One rollout.</summary>
    public Task<RolloutView> GetRolloutAsync(string id, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(HttpMethod.Get, $"api/v1/rollouts/{Uri.EscapeDataString(id)}", null, null, cancellationToken);

    /// <summary>Asks to cancel a rollout and the maintenances it has under way.</summary>
    public Task<RolloutView> CancelRolloutAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/cancel", new CancelRequest(reason), null, cancellationToken);

    /// <summary>Lets a paused rollout go on, with a new failure budget. Of one that is not paused it changes nothing.</summary>
    public Task<RolloutView> ResumeRolloutAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/resume", new SteerRequest(reason), null, cancellationToken);

    /// <summary>Takes no new node; those under maintenance go on to their end.</summary>
    public Task<RolloutView> StopRolloutAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/stop", new CancelRequest(reason), null, cancellationToken);

    /// <summary>Takes no new node until told to resume.</summary>
    public Task<RolloutView> PauseRolloutAsync(string id, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/pause", new CancelRequest(reason), null, cancellationToken);

    /// <summary>Leaves a node out whose turn has not come.</summary>
    public Task<RolloutView> SkipRolloutNodeAsync(string id, string node, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/skip", new RolloutNodeRequest(node, reason), null, cancellationToken);

    /// <summary>Takes a node again that failed, was cancelled or was left out.</summary>
    public Task<RolloutView> RetryRolloutNodeAsync(string id, string node, string? reason, CancellationToken cancellationToken) =>
        SendAsync<RolloutView>(
            HttpMethod.Post, $"api/v1/rollouts/{Uri.EscapeDataString(id)}/retry", new RolloutNodeRequest(node, reason), null, cancellationToken);

    /// <summary>Sets up a window.</summary>
    public Task<WindowView> CreateWindowAsync(WindowCreate request, CancellationToken cancellationToken) =>
        SendAsync<WindowView>(HttpMethod.Post, "api/v1/windows", request, null, cancellationToken);

    /// <summary>One page of windows, by name.</summary>
    public Task<WindowList> ListWindowsAsync(string? after, CancellationToken cancellationToken) =>
        SendAsync<WindowList>(HttpMethod.Get, $"api/v1/windows{Query(("after", after))}", null, null, cancellationToken);

    /// <summary>All windows, by name, page by page to the end.</summary>
    public Task<IReadOnlyList<WindowView>> ListAllWindowsAsync(CancellationToken cancellationToken) => AllAsync(
        async after => await ListWindowsAsync(after, cancellationToken) is var page ? (page.Items, page.Next) : default);

    /// <summary>One window and when it opens next.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="count">How many of the coming openings.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<WindowView> GetWindowAsync(string name, int count, CancellationToken cancellationToken) =>
        SendAsync<WindowView>(HttpMethod.Get, $"api/v1/windows/{Uri.EscapeDataString(name)}?next={count}", null, null, cancellationToken);

    /// <summary>Removes a window; a rollout it started takes no new node. Returns when the window knows.</summary>
    public async Task DeleteWindowAsync(string name, string? reason, CancellationToken cancellationToken)
    {
        using var response = await http.DeleteAsync($"api/v1/windows/{Uri.EscapeDataString(name)}{Query(("reason", reason))}", cancellationToken);
        await ThrowIfProblemAsync(response, cancellationToken);
    }

    /// <summary>The virtual machines of the cluster, page by page to the end; of one namespace or on one node, if that is said.</summary>
    public Task<IReadOnlyList<VirtualMachineView>> ListVirtualMachinesAsync(string? @namespace, string? node, CancellationToken cancellationToken) => AllAsync(
        async after => await SendAsync<VirtualMachineList>(
            HttpMethod.Get, $"api/v1/vms{Query(("namespace", @namespace), ("node", node), ("limit", $"{LargestPage}"), ("after", after))}", null, null, cancellationToken)
            is var page ? (page.Items, page.Next) : default);

    /// <summary>One virtual machine.</summary>
    public Task<VirtualMachineView> GetVirtualMachineAsync(string @namespace, string name, CancellationToken cancellationToken) =>
        SendAsync<VirtualMachineView>(
            HttpMethod.Get, $"api/v1/vms/{Uri.EscapeDataString(@namespace)}/{Uri.EscapeDataString(name)}", null, null, cancellationToken);

    /// <summary>Starts, stops, restarts or migrates one: <c>start</c>, <c>stop</c>, <c>restart</c>, <c>migrate</c>; with the same key and request once.</summary>
    public Task<VirtualMachineCallView> CallVirtualMachineAsync(
        string @namespace, string name, string action, VirtualMachineCall call, string? idempotencyKey, CancellationToken cancellationToken) =>
        SendAsync<VirtualMachineCallView>(
            HttpMethod.Post, $"api/v1/vms/{Uri.EscapeDataString(@namespace)}/{Uri.EscapeDataString(name)}:{action}", call, idempotencyKey, cancellationToken);

    private static async Task<IReadOnlyList<T>> AllAsync<T>(Func<string?, Task<(IReadOnlyList<T> Items, string? Next)>> readPage)
    {
        var all = new List<T>();
        string? after = null;
        do
        {
            (var items, after) = await readPage(after);
            all.AddRange(items);
        }
        while (after is not null);

        return all;
    }

    private async IAsyncEnumerable<T> WatchAsync<T>(string path, string type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.ParseAdd("text/event-stream");
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await ThrowIfProblemAsync(response, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
        {
            if (item.EventType == type)
            {
                yield return JsonSerializer.Deserialize<T>(item.Data, ApiJson.Options)!;
            }
        }
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body, string? key, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = JsonContent.Create(body, body.GetType(), options: ApiJson.Options);
        }

        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation(IdempotencyKeyHeader, key);
        }

        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await ThrowIfProblemAsync(response, cancellationToken);
        return (await response.Content.ReadFromJsonAsync<T>(ApiJson.Options, cancellationToken))!;
    }

    private static async Task ThrowIfProblemAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        if (response.IsSuccessStatusCode)
        {
            return;
        }

        if (response.Content.Headers.ContentType?.MediaType != "application/problem+json")
        {
            // Not our server, or a proxy before it.
            response.EnsureSuccessStatusCode();
        }

        throw new ApiProblemException((await response.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, cancellationToken))!);
    }

    private static string Query(params ReadOnlySpan<(string Name, string? Value)> parts)
    {
        var query = new List<string>(parts.Length);
        foreach (var (name, value) in parts)
        {
            if (value is not null)
            {
                query.Add($"{name}={Uri.EscapeDataString(value)}");
            }
        }

        return query.Count == 0 ? "" : "?" + string.Join('&', query);
    }
}
