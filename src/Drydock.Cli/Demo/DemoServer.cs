using Drydock.Cli.Processes;

namespace Drydock.Cli.Demo;

/// <summary>The server of a demonstration: one address and one database, whichever process serves them just now.</summary>
internal sealed class DemoServer(string kubeconfig, string database, TimeProvider clock) : IAsyncDisposable
{
    private ServerProcess? _process;

    /// <summary>Where it serves.</summary>
    public Uri Address { get; } = ServerProcess.FreeAddress();

    /// <summary>How long the last start took.</summary>
    public TimeSpan StartUp { get; private set; }

    /// <summary>The process that serves now.</summary>
    public int ProcessId => Process.Id;

    /// <summary>Its resident memory.</summary>
    public long MemoryBytes => Process.MemoryBytes();

    private ServerProcess Process => _process ?? throw new InvalidOperationException("The server was not started.");

    /// <summary>Starts a process; returns when it serves.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var from = clock.GetTimestamp();
        _process = ServerProcess.Start(kubeconfig, database, Address);
        await _process.WaitUntilListeningAsync(cancellationToken);
        StartUp = clock.GetElapsedTime(from);
    }

    /// <summary>SIGKILL.</summary>
    public async Task KillAsync()
    {
        if (_process is { } process)
        {
            _process = null;
            await process.DisposeAsync();
        }
    }

    public async ValueTask DisposeAsync() => await KillAsync();
}
