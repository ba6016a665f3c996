using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Drydock.Cli.Processes;

/// <summary>
/// A server in a process of its own: this program, started once more with <c>serve</c>. It dies with us, and with our death: the
/// other end of its stdin is ours.
/// </summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    private readonly Process _process;
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Queue<string> _lastErrors = new();
    private readonly Task _reading;

    private ServerProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadOutputAsync(), ReadErrorsAsync());
    }

    /// <summary>Its process id.</summary>
    public int Id => _process.Id;

    /// <summary>Starts a server on this database and cluster.</summary>
    /// <param name="kubeconfig">The kubeconfig of the cluster.</param>
    /// <param name="database">The file of the task hub.</param>
    /// <param name="url">Where it listens.</param>
    public static ServerProcess Start(string kubeconfig, string database, Uri url)
    {
        var start = OwnProgram.StartInfo(
            ["serve", "--kubeconfig", kubeconfig, "--db", database, "--urls", url.GetLeftPart(UriPartial.Authority), "--access", "none", "--stop-with-stdin", "--output", "json"]);
        start.RedirectStandardInput = true;
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        return new ServerProcess(Process.Start(start) ?? throw new InvalidOperationException("The server process did not start."));
    }

    /// <summary>A loopback address that nobody listens on now.</summary>
    public static Uri FreeAddress()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}/");
    }

    /// <summary>Returns when it serves requests.</summary>
    /// <exception cref="CommandFailedException">It ended instead; the sentence is what it said.</exception>
    public async Task WaitUntilListeningAsync(CancellationToken cancellationToken)
    {
        var exited = _process.WaitForExitAsync(cancellationToken);
        await Task.WhenAny(_listening.Task, exited);
        if (!_listening.Task.IsCompletedSuccessfully)
        {
            await exited;
            await _reading;
            throw new CommandFailedException(
                ExitCodes.Failed, $"The server ended with code {_process.ExitCode} before it served: {string.Join(" ", _lastErrors)}", "Run 'drydock serve' by hand to see more.");
        }
    }

    /// <summary>Its resident memory in bytes.</summary>
    public long MemoryBytes()
    {
        _process.Refresh();
        return _process.WorkingSet64;
    }

    /// <summary>SIGKILL: it gets no chance to write, flush or say good-bye. Returns when the kernel has taken it.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync(CancellationToken.None);
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        await _reading;
        _process.Dispose();
    }

    private async Task ReadOutputAsync()
    {
        while (await _process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (ListeningUrl(line) is { } url)
            {
                _listening.TrySetResult(url);
            }
        }
    }

    private async Task ReadErrorsAsync()
    {
        const int kept = 10;
        while (await _process.StandardError.ReadLineAsync() is { } line)
        {
            if (_lastErrors.Count == kept)
            {
                _lastErrors.Dequeue();
            }

            _lastErrors.Enqueue(line);
        }
    }

    private static Uri? ListeningUrl(string line)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            return json.RootElement.TryGetProperty("kind", out var kind) && kind.GetString() == "listening"
                ? new Uri(json.RootElement.GetProperty("data").GetProperty("url").GetString()!)
                : null;
        }
        catch (JsonException)
        {
            // A line of a log; only our own JSON lines matter.
            return null;
        }
    }
}
