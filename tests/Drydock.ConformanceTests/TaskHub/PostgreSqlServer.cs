using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Drydock.DurableTask.TaskHub;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: Xunit.AssemblyFixture(typeof(Drydock.ConformanceTests.TaskHub.PostgreSqlServers))]

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// A PostgreSQL of this run's own: made by initdb in a temporary folder, on a free port of this machine, as a user without privilege,
/// and gone when the tests have ended.
/// </summary>
internal sealed class PostgreSqlServer : IDisposable
{
    private const string Password = "for-tests-only";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    private static readonly Lazy<PostgreSqlServer> Only = new(Create);
    private static readonly ConcurrentBag<PostgreSqlServer> All = [];
    private readonly string _folder;
    private readonly string _programs;
    private static int _databases;

    private PostgreSqlServer(string folder, string programs, int port) => (_folder, _programs, Port) = (folder, programs, port);

    /// <summary>The one that all tests share, each with a database of its own.</summary>
    public static PostgreSqlServer Shared => Only.Value;

    public int Port { get; }

    private string Data => Path.Combine(_folder, "data");

    /// <summary>One that a test may stop and start.</summary>
    public static PostgreSqlServer Create()
    {
        var folder = Path.Combine(Path.GetTempPath(), "drydock-pg-" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(folder);
        var server = new PostgreSqlServer(folder, Programs(), Ports.Free());
        var passwordFile = Path.Combine(folder, "password");
        File.WriteAllText(passwordFile, Password);
        if (Environment.IsPrivilegedProcess)
        {
            Run("chown", ["-R", "postgres", folder]);
        }

        server.Program("initdb", "-D", server.Data, "-U", "drydock", "-A", "scram-sha-256", "--pwfile", passwordFile, "-E", "UTF8", "--locale=C", "--no-instructions", "--no-sync");
        File.AppendAllText(
            Path.Combine(server.Data, "postgresql.conf"),
            string.Create(
                CultureInfo.InvariantCulture,
                $"\nlisten_addresses = '127.0.0.1'\nport = {server.Port}\nunix_socket_directories = ''\nmax_connections = 200\nshared_buffers = 64MB\n"));
        All.Add(server);
        server.Start();
        return server;
    }

    /// <summary>The connection string of a new, empty database.</summary>
    public string NewDatabase()
    {
        var name = "t" + Interlocked.Increment(ref _databases).ToString(CultureInfo.InvariantCulture);
        Execute("postgres", $"CREATE DATABASE {name}");
        return ConnectionString(name);
    }

    public string ConnectionString(string database) => string.Create(
        CultureInfo.InvariantCulture,
        $"Host=127.0.0.1;Port={Port};Database={database};Username=drydock;Password={Password};Maximum Pool Size=20");

    /// <summary>Runs SQL beside the hub; returns the first value.</summary>
    public object? Execute(string database, string sql)
    {
        using var connection = new NpgsqlConnection(ConnectionString(database) + ";Pooling=false");
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return command.ExecuteScalar();
    }

    public void Start()
    {
        Program("pg_ctl", "start", "-D", Data, "-w", "-l", Path.Combine(_folder, "log"));
        if (Execute("postgres", "SHOW data_directory") as string != Data)
        {
            throw new InvalidOperationException("Another PostgreSQL answers on the port of the test's own.");
        }
    }

    /// <summary>Stops at once, as a crash does.</summary>
    public void Stop() => Program("pg_ctl", "stop", "-D", Data, "-w", "-m", "immediate");

    /// <summary>Stops all that were made and removes what they stored.</summary>
    public static void DisposeAll()
    {
        foreach (var server in All)
        {
            server.Dispose();
        }
    }

    public void Dispose()
    {
        if (!Directory.Exists(_folder))
        {
            return;
        }

        if (File.Exists(Path.Combine(Data, "postmaster.pid")))
        {
            Stop();
        }

        Directory.Delete(_folder, recursive: true);
    }

    private void Program(string name, params string[] arguments)
    {
        var program = Path.Combine(_programs, name);
        if (Environment.IsPrivilegedProcess)
        {
            Run("runuser", ["-u", "postgres", "--", program, .. arguments]);
        }
        else
        {
            Run(program, arguments);
        }
    }

    private static void Run(string program, IEnumerable<string> arguments)
    {
        // The server inherits what it is given: with a pipe, nobody would see the end of its output. A folder that it may enter.
        using var process = Process.Start(new ProcessStartInfo("sh", ["-c", "exec \"$0\" \"$@\" >/dev/null 2>&1 </dev/null", program, .. arguments])
        {
            UseShellExecute = false,
            WorkingDirectory = Path.GetTempPath(),
            Environment = { ["LC_ALL"] = "C" },
        })!;
        if (!process.WaitForExit(Patience) || process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} did not succeed.");
        }
    }

    private static string Programs() =>
        Directory.Exists("/usr/lib/postgresql")
            ? Directory.GetDirectories("/usr/lib/postgresql").Select(folder => Path.Combine(folder, "bin")).Where(folder => File.Exists(Path.Combine(folder, "initdb"))).Order().Last()
            : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').First(folder => File.Exists(Path.Combine(folder, "initdb")));
}

/// <summary>
/// Ends the servers when the last test has. At the exit of the process it is too late: the runner ends a process that takes longer than ten
/// seconds to exit, calls that a failure, and the server stays.
/// </summary>
public sealed class PostgreSqlServers : IDisposable
{
    /// <inheritdoc/>
    public void Dispose() => PostgreSqlServer.DisposeAll();
}

/// <summary>Hubs on a database of the test's own.</summary>
internal static class PostgreSqlHubs
{
    public static async Task<PostgreSqlTaskHub> OpenAsync(
        string connectionString, TimeProvider? clock = null, Action<PostgreSqlTaskHubOptions>? configure = null)
    {
        var options = new PostgreSqlTaskHubOptions { ConnectionString = connectionString };
        configure?.Invoke(options);
        var hub = new PostgreSqlTaskHub(options, clock ?? TimeProvider.System, NullLogger<PostgreSqlTaskHub>.Instance);
        await hub.OpenAsync(CancellationToken.None);
        return hub;
    }
}
