using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using CsCheck;
using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Many clients, bad clients and nonsense: the server answers all of them, and nothing happens that nobody asked for.</summary>
public sealed partial class RoughTests : IAsyncLifetime
{
    private const int Nonsense = 1000;
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    public async ValueTask InitializeAsync() => _harbour = await Harbour.OpenAsync(Token);

    public ValueTask DisposeAsync() => _harbour.DisposeAsync();

    [Fact]
    public async Task Two_hundred_clients_at_once_are_all_answered_and_one_maintenance_starts()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 200).Select(async number =>
        {
            using var http = new HttpClient { BaseAddress = _harbour.Http.BaseAddress };
            var api = new DrydockApiClient(http);
            return number % 4 == 0
                ? await TryCreateAsync(api, number)
                : (await http.GetAsync(number % 4 == 1 ? "api/v1/maintenances" : number % 4 == 2 ? "api/v1/nodes" : "healthz", Token)).StatusCode;
        }));

        answers.Count(static code => code == HttpStatusCode.Created).ShouldBe(1);
        answers.Count(static code => code == HttpStatusCode.Conflict).ShouldBe(49);
        answers.Count(static code => code == HttpStatusCode.OK).ShouldBe(150);
        (await _harbour.Api.ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Streams_that_are_not_read_or_break_off_hold_nobody_up()
    {
        var started = await _harbour.Api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Health = new HealthSettings { StableFor = "1s" } }, null, Token);
        var sockets = new List<Socket>();
        try
        {
            for (var i = 0; i < 30; i++)
            {
                sockets.Add(await AskForStreamAsync(started.Id));
            }

            // A third resets at once, a third later, a third never reads a byte.
            foreach (var socket in sockets.Where(static (_, index) => index % 3 == 0))
            {
                Reset(socket);
            }

            await _harbour.WatchAsync(started.Id, static view => view.Step != "Plan", Token);
            foreach (var socket in sockets.Where(static (_, index) => index % 3 == 1))
            {
                Reset(socket);
            }

            var ended = await _harbour.WatchAsync(started.Id, static _ => false, Token);

            ended.State.ShouldBe(MaintenanceState.Completed, ended.Message);
            (await _harbour.Http.GetAsync("readyz", Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
        }
        finally
        {
            sockets.ForEach(static socket => socket.Dispose());
        }
    }

    [Fact]
    public async Task A_thousand_malformed_requests_are_refused_in_words_and_change_nothing()
    {
        var before = _harbour.Cluster.Api.RequestLog.All.Count(IsChange);
        var requests = new List<Raw>();
        var operations = (await _harbour.Http.GetFromJsonAsync<JsonNode>("openapi/v1.json", Token))!["paths"]!.AsObject()
            .SelectMany(static path => path.Value!.AsObject().Select(method => (Method: method.Key.ToUpperInvariant(), Path: path.Key.TrimStart('/'))))
            .Where(static operation => operation.Path.StartsWith("api/", StringComparison.Ordinal)).ToList();
        Requests(operations).Sample(requests.Add, iter: Nonsense, seed: "0N0XIzNsQ0O2", threads: 1);

        foreach (var batch in requests.Chunk(20))
        {
            var answers = await Task.WhenAll(batch.Select(SendAsync));
            foreach (var (raw, answer) in batch.Zip(answers))
            {
                ((int)answer.Code).ShouldBeInRange(200, 499, $"{raw}\n{answer.Body}");
                if ((int)answer.Code >= 400 && (int)answer.Code != 404)
                {
                    answer.Body.ShouldContain("\"type\":\"urn:drydock:problem:", Case.Sensitive, raw.ToString());
                }
            }
        }

        (await _harbour.Api.ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldBeEmpty();
        (await _harbour.Api.ListAllRolloutsAsync(Token)).ShouldBeEmpty();
        (await _harbour.Api.ListAllWindowsAsync(Token)).ShouldBeEmpty();
        _harbour.Cluster.Api.RequestLog.All.Count(IsChange).ShouldBe(before);
    }

    /// <summary>
    /// Nothing of it is a valid request to change something: node names are wrong, or the JSON is, or what the path names is not there. Half of it
    /// goes to each operation of the document in turn by chance, with its own method.
    /// </summary>
    private static Gen<Raw> Requests(IReadOnlyList<(string Method, string Path)> operations)
    {
        var word = Gen.OneOf(
            Gen.Const("node"), Gen.Const("drain"), Gen.Const("timeout"), Gen.Const("cron"), Gen.Const("rollout"), Gen.Const("maintenance"), Gen.Const("reason"),
            Gen.String[Gen.Char.AlphaNumeric, 0, 8], Gen.String[Gen.Char[(char)1, (char)0x2fff], 0, 12]);
        var scalar = Gen.OneOf(
            Gen.Const("null"), Gen.Const("true"), Gen.Const("-1"), Gen.Const("1e999"), Gen.Const("\"\\ud800\""), Gen.Const("\"Node_Bad\""),
            Gen.Long.Select(static number => $"{number}"), word.Select(static text => System.Text.Json.JsonSerializer.Serialize("!" + text)));
        var body = Gen.Recursive<string>((depth, inner) => depth > 3 ? scalar : Gen.OneOf(
            scalar,
            inner.Array[0, 4].Select(static items => $"[{string.Join(',', items)}]"),
            Gen.Select(word, inner).Array[0, 5].Select(static members =>
                $"{{{string.Join(',', members.Select(static member => $"{System.Text.Json.JsonSerializer.Serialize(member.Item1)}:{member.Item2}"))}}}")));
        var broken = Gen.Select(body, Gen.Int[0, 40]).Select(static (text, cut) => text[..Math.Min(cut, text.Length)]);
        var anywhere = Gen.Select(OneOf("POST", "POST", "POST", "GET", "PUT", "PATCH", "DELETE"), Gen.OneOf(
            word.Select(static text => "api/v1/maintenances/" + Uri.EscapeDataString(text)),
            word.Select(static text => "api/v1/maintenances?after=" + Uri.EscapeDataString(text) + "&limit=" + Uri.EscapeDataString(text)),
            word.Select(static text => "api/v1/nodes/" + Uri.EscapeDataString(text))));
        var documented = Gen.Select(Gen.Int[0, operations.Count - 1], word).Select((index, text) =>
            (operations[index].Method, Path: Parameter().Replace(operations[index].Path, "x-" + Uri.EscapeDataString(text))));
        return Gen.Select(
            Gen.OneOf(documented, documented, anywhere), Gen.OneOf(body, broken), OneOf("application/json", "application/json", "text/plain", "application/xml", ""))
            .Select(static (to, text, type) => new Raw(to.Item1, to.Item2, text, type));
    }

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(index => texts[index]);

    private static bool IsChange(Drydock.Simulator.Api.RequestRecord request) =>
        request.Verb is "create" or "update" or "patch" or "delete" && request.User == "kubernetes-admin"
        && request.Resource?.Contains("reviews.", StringComparison.Ordinal) != true && request.Resource?.StartsWith("leases.", StringComparison.Ordinal) != true;

    private static void Reset(Socket socket)
    {
        // Lingering for no time makes the close a reset.
        socket.LingerState = new LingerOption(enable: true, 0);
        socket.Close();
    }

    private async Task<HttpStatusCode> TryCreateAsync(DrydockApiClient api, int number)
    {
        try
        {
            await api.CreateMaintenanceAsync(new MaintenanceCreate { Node = "node-1", Reason = $"client {number}", Action = "Hold" }, null, Token);
            return HttpStatusCode.Created;
        }
        catch (ApiProblemException problem)
        {
            return (HttpStatusCode)problem.Problem.Status;
        }
    }

    private async Task<Socket> AskForStreamAsync(string id)
    {
        var address = _harbour.Http.BaseAddress!;
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 1024 };
        await socket.ConnectAsync(IPAddress.Loopback, address.Port, Token);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /api/v1/maintenances/{id}/events HTTP/1.1\r\nHost: {address.Authority}\r\n\r\n"), Token);
        return socket;
    }

    private async Task<(HttpStatusCode Code, string Body)> SendAsync(Raw raw)
    {
        using var request = new HttpRequestMessage(new HttpMethod(raw.Method), raw.Path);
        if (raw.Method != "GET")
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(raw.Body));
            request.Content.Headers.TryAddWithoutValidation("Content-Type", raw.ContentType);
        }

        using var answer = await _harbour.Http.SendAsync(request, Token);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    [GeneratedRegex("\\{[a-z]+\\}", RegexOptions.NonBacktracking)]
    private static partial Regex Parameter();

    private sealed record Raw(string Method, string Path, string Body, string ContentType);
}
