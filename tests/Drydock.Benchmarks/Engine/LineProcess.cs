using System.ComponentModel;
using System.Diagnostics;
using System.Text.Json;

namespace Drydock.Benchmarks.Engine;

/// <summary>A process that answers one line with one JSON object, after it said that it is ready.</summary>
internal sealed class LineProcess : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private readonly Process _process;
    private readonly List<string> _complaints = [];

    private LineProcess(Process process)
    {
        _process = process;
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    /// <summary>What it said when it was ready.</summary>
    public JsonElement Greeting { get; private set; }

    /// <summary>Starts a process and waits for its first answer.</summary>
    /// <exception cref="PeerException">It could not be started, or it ended.</exception>
    public static async Task<LineProcess> StartAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var started = new LineProcess(Spawn(program, arguments, environment, redirect: true));
        try
        {
            started.Greeting = await started.AnswerAsync();
            return started;
        }
        catch
        {
            started.Dispose();
            throw;
        }
    }

    /// <summary>Starts a process; what it says is thrown away unless it is redirected.</summary>
    /// <exception cref="PeerException">There is no such program.</exception>
    public static Process Spawn(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment, bool redirect)
    {
        var start = redirect
            ? new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false }
            : new ProcessStartInfo("/bin/sh", ["-c", "exec \"$@\" >/dev/null 2>&1 </dev/null", "sh", program, .. arguments]);
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new PeerException($"'{program}' could not be started: {e.Message}", e);
        }
    }

    /// <summary>Sends a request and waits for the answer.</summary>
    public async Task<JsonElement> AskAsync(string request)
    {
        await _process.StandardInput.WriteLineAsync(request);
        await _process.StandardInput.FlushAsync();
        return await AnswerAsync();
    }

    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private async Task<JsonElement> AnswerAsync()
    {
        using var limit = new CancellationTokenSource(Patience, TimeProvider.System);
        while (await _process.StandardOutput.ReadLineAsync(limit.Token) is { } line)
        {
            if (line.StartsWith('{'))
            {
                return JsonDocument.Parse(line).RootElement;
            }

            Keep(line);
        }

        await _process.WaitForExitAsync(limit.Token);
        lock (_complaints)
        {
            throw new PeerException($"It ended with {_process.ExitCode}: {string.Join(" | ", _complaints)}");
        }
    }

    private void Keep(string? line)
    {
        lock (_complaints)
        {
            if (line is not null && _complaints.Count < 10)
            {
                _complaints.Add(line);
            }
        }
    }
}

/// <summary>A peer cannot take part; the message says why.</summary>
internal sealed class PeerException(string message, Exception? innerException = null) : Exception(message, innerException);
