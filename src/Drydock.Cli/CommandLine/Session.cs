using System.Runtime.InteropServices;

namespace Drydock.Cli.CommandLine;

/// <summary>
/// Ctrl-C and SIGTERM as a token. The first asks the verb to end, so that it can say what stays changed; the second ends the process.
/// </summary>
internal sealed class Session : IDisposable
{
    private readonly CancellationTokenSource _ended = new();
    private readonly List<PosixSignalRegistration> _signals = [];

    /// <summary>Listens from now on.</summary>
    public Session()
    {
        foreach (var signal in (PosixSignal[])[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
        {
            _signals.Add(PosixSignalRegistration.Create(signal, OnSignal));
        }
    }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _ended.Token;

    public void Dispose()
    {
        _signals.ForEach(registration => registration.Dispose());
        _ended.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        // The second time the default happens: a verb that hangs can still be ended.
        context.Cancel = !_ended.IsCancellationRequested;
        if (context.Cancel)
        {
            _ended.Cancel();
        }
    }
}
