using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// A piece of work and how it must end. Its calls can be made again after a crash: what was acknowledged stands in the ledger and is
/// not asked for twice.
/// </summary>
internal sealed record CrashWorkload(string Name, Func<CrashCalls, Task> RunAsync, IReadOnlyDictionary<string, string?> Outputs)
{
    /// <summary>What lies in the folder before the first process starts.</summary>
    public Func<string, Task> PrepareAsync { get; init; } = _ => Task.CompletedTask;

    /// <summary>An instance that must be gone in the end.</summary>
    public const string Purged = "(purged)";

    /// <summary>An instance that must be terminated in the end.</summary>
    public const string Terminated = "(terminated)";

    public static IReadOnlyList<CrashWorkload> All { get; } =
    [
        Simple("chain", CrashTasks.Chain, "3"),
        Simple("fan-out", CrashTasks.FanOut, "12"),
        Simple("timer", CrashTasks.Timer, "\"in time\""),
        Simple("entity", CrashTasks.Entities, "22"),
        Simple("continue-as-new", CrashTasks.Generations, "3", input: 0),
        Simple("schema migration", CrashTasks.Chain, "3") with { PrepareAsync = PrepareOldStoreAsync },
        new("sub-orchestration", calls => calls.RunAsync(CrashTasks.Parent), Ends(("it", "9"), ("it.0", "3"), ("it.1", "3"), ("it.2", "3"))),
        new("event", RunEventsAsync, Ends(("it", "\"onetwo\""))),
        new("terminate", TerminateAsync, Ends(("it", Terminated), ("it.0", Terminated))),
        new("purge", PurgeAsync, Ends(("it", Purged), ("it.0", Purged), ("it.1", Purged), ("it.2", Purged))),
        new("rewind", RewindAsync, Ends(("it", "7"))),
    ];

    private static CrashWorkload Simple(string name, string orchestrator, string output, object? input = null) =>
        new(name, calls => calls.RunAsync(orchestrator, input), Ends(("it", output)));

    private static Dictionary<string, string?> Ends(params (string Id, string? Output)[] outputs) =>
        outputs.ToDictionary(output => output.Id, output => output.Output, StringComparer.Ordinal);

    /// <summary>A store as an older version of the schema left it, with work in it.</summary>
    private static async Task PrepareOldStoreAsync(string folder)
    {
        var place = new CrashPlace(folder);
        await using (EmbeddedTaskHub hub = place.Address is { } address
            ? new PostgreSqlTaskHub(new PostgreSqlTaskHubOptions { ConnectionString = address }, TimeProvider.System, NullLogger<PostgreSqlTaskHub>.Instance)
            : new SqliteTaskHub(new SqliteTaskHubOptions { Path = place.Path }, TimeProvider.System, NullLogger<SqliteTaskHub>.Instance))
        {
            await hub.OpenAsync(CancellationToken.None);
            await hub.StartInstanceAsync(new CreateInstanceRequest { InstanceId = "it", Name = CrashTasks.Chain }, CancellationToken.None);
        }

        var (deliveries, version) = place.Address is null
            ? ("DROP TABLE deliveries", 2)
            : ("ALTER TABLE instances DROP COLUMN deliveries; ALTER TABLE tasks DROP COLUMN deliveries", 1);
        place.Execute(
            $"""
            {deliveries}; DROP TABLE payloads; ALTER TABLE inbox DROP COLUMN payload_key; ALTER TABLE tasks DROP COLUMN payload_key;
            ALTER TABLE tasks DROP COLUMN progress; ALTER TABLE tasks DROP COLUMN progress_at;
            UPDATE schema_version SET version = {version.ToString(System.Globalization.CultureInfo.InvariantCulture)}
            """);
        new Ledger(folder).Write("started it");
    }

    private static async Task RunEventsAsync(CrashCalls calls)
    {
        await calls.StartAsync(CrashTasks.Events);
        await calls.OnceAsync("one", client => client.RaiseEventAsync("it", "one", "one"));
        await calls.OnceAsync("two", client => client.RaiseEventAsync("it", "two", "two"));
        await calls.EndAsync();
    }

    private static async Task TerminateAsync(CrashCalls calls)
    {
        await calls.StartAsync(CrashTasks.Forever);
        await calls.OnceAsync("child", client => client.WaitForInstanceStartAsync("it"));
        await calls.OnceAsync("terminated", client => client.TerminateInstanceAsync("it", new TerminateInstanceOptions { Recursive = true }));
        await calls.EndAsync();
    }

    private static async Task PurgeAsync(CrashCalls calls)
    {
        if (!calls.Ledger.Has("started it") || await calls.Client.GetInstanceAsync("it") is not null)
        {
            await calls.RunAsync(CrashTasks.Parent);
        }

        await calls.OnceAsync("purged", client => client.PurgeInstanceAsync("it", new PurgeInstanceOptions { Recursive = true }));
    }

    private static async Task RewindAsync(CrashCalls calls)
    {
        await calls.StartAsync(CrashTasks.Fragile);
        if (!calls.Ledger.Has(CrashTasks.Mended))
        {
            await calls.EndAsync();
            calls.Ledger.Write(CrashTasks.Mended);
        }

        // Its answer may have been lost in the crash: an instance that has not failed any more was rewound.
        if ((await calls.Client.GetInstanceAsync("it"))!.RuntimeStatus == OrchestrationRuntimeStatus.Failed)
        {
            await calls.OnceAsync("rewound", client => client.RewindInstanceAsync("it", "mended"));
        }

        await calls.EndAsync();
    }
}

/// <summary>The calls of a workload, each acknowledged in the ledger.</summary>
internal sealed class CrashCalls(DurableTaskClient client, Ledger ledger)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public DurableTaskClient Client => client;

    public Ledger Ledger => ledger;

    public async Task RunAsync(string orchestrator, object? input = null)
    {
        await StartAsync(orchestrator, input);
        await EndAsync();
    }

    public Task StartAsync(string orchestrator, object? input = null) => OnceAsync("started it", async asked =>
    {
        try
        {
            await asked.ScheduleNewOrchestrationInstanceAsync(orchestrator, input, new StartOrchestrationOptions { InstanceId = "it" });
        }
        catch (TaskHubException e) when (e.Status == StatusCode.AlreadyExists)
        {
            // It was committed, and the crash came before the acknowledgement.
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // The same, as the client says it.
        }
    });

    public async Task EndAsync()
    {
        using var limit = new CancellationTokenSource(Patience, TimeProvider.System);
        await client.WaitForInstanceCompletionAsync("it", limit.Token);
    }

    /// <summary>Makes a call unless it was acknowledged before.</summary>
    public async Task OnceAsync(string name, Func<DurableTaskClient, Task> call)
    {
        if (!ledger.Has(name))
        {
            await call(client);
            ledger.Write(name);
        }
    }
}
