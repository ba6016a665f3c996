using System.Text.Json;

namespace Drydock.Benchmarks.Engine;

/// <summary>One engine with its durable settings, set up in a temporary folder; it answers the requests of the workloads.</summary>
internal abstract class Contender : IAsyncDisposable
{
    public abstract string Name { get; }

    /// <summary>The folder with its data.</summary>
    protected DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("drydock-engine-benchmark-");

    /// <summary>The processes of the engine, without the client where that is another process.</summary>
    protected abstract IEnumerable<int> Processes { get; }

    /// <summary>Starts its processes on the data there is; it takes requests when this returns.</summary>
    /// <exception cref="PeerException">It cannot be started here.</exception>
    public abstract Task StartAsync();

    public abstract Task<JsonElement> AskAsync(string request);

    /// <summary>Ends what holds the state of running workflows with SIGKILL. A database server of its own is no part of it.</summary>
    public abstract Task KillAsync();

    /// <summary>Processor seconds of the engine so far.</summary>
    public double ProcessorSeconds() => ProcessTimes.OfTree(Processes);

    /// <summary>Megabytes of memory that the engine has resident.</summary>
    public double Megabytes() => ProcessTimes.MegabytesOfTree(Processes);

    public virtual ValueTask DisposeAsync()
    {
        Folder.Delete(recursive: true);
        return ValueTask.CompletedTask;
    }

    /// <summary>A file beside this source.</summary>
    protected static string Source(string path) => Path.Combine(SourceTree.Benchmarks, "Peers", path);

    /// <summary>A file that the packages of a peer bring.</summary>
    /// <exception cref="PeerException">It is not there.</exception>
    protected static string Installed(string path, string how) =>
        File.Exists(Source(path)) ? Source(path) : throw new PeerException($"it is not installed: {how}");
}
