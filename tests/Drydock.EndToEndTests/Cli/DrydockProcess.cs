using System.Diagnostics;
using System.Text;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary>The real program in a process of its own, with what it wrote.</summary>
internal sealed class DrydockProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);
    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _error = new();
    private readonly Task _reading;

    private DrydockProcess(Process process)
    {
        _process = process;
        _reading = Task.WhenAll(ReadAsync(process.StandardOutput, _output), ReadAsync(process.StandardError, _error));
    }

    /// <summary>Stdout in whole lines: a process that is killed may have written a part of its last one.</summary>
    public string Output => Text(_output);

    public string Error => Text(_error);

    public int Id => _process.Id;

    /// <summary>Starts it with a state folder of its own.</summary>
    public static DrydockProcess Start(string stateFolder, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "drydock.dll"));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["XDG_STATE_HOME"] = stateFolder;
        start.Environment.Remove("DRYDOCK_SERVER");
        start.Environment.Remove("KUBECONFIG");
        return new DrydockProcess(Process.Start(start)!);
    }

    /// <summary>Runs it to its end.</summary>
    public static async Task<(int Code, string Output, string Error)> RunAsync(string stateFolder, params string[] arguments)
    {
        await using var process = Start(stateFolder, arguments);
        var code = await process.WaitForExitAsync();
        return (code, process.Output, process.Error);
    }

    /// <summary>Returns when it wrote this text to stdout.</summary>
    public async Task WaitForAsync(string text)
    {
        var from = Stopwatch.GetTimestamp();
        while (!Output.Contains(text, StringComparison.Ordinal))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(from) > Patience)
            {
                await _reading.WaitAsync(TimeSpan.FromSeconds(5));
                Output.Contains(text, StringComparison.Ordinal).ShouldBeTrue($"'{text}' was not written.\n{Output}\n{Error}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public async Task<int> WaitForExitAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException exception)
        {
            throw new TimeoutException($"It did not end within {Patience}.\n{Output}\n{Error}", exception);
        }

        await _reading;
        return _process.ExitCode;
    }

    /// <summary>SIGKILL.</summary>
    public Task KillAsync()
    {
        _process.Kill();
        return _process.WaitForExitAsync();
    }

    /// <summary>What Ctrl-C sends.</summary>
    public async Task InterruptAsync()
    {
        using var kill = Process.Start("kill", ["-INT", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder text)
    {
        var buffer = new char[4096];
        while (await reader.ReadAsync(buffer) is > 0 and var read)
        {
            lock (text)
            {
                text.Append(buffer, 0, read);
            }
        }
    }

    private static string Text(StringBuilder text)
    {
        lock (text)
        {
            var written = text.ToString();
            return written[..(written.LastIndexOf('\n') + 1)];
        }
    }
}
