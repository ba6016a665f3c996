using System.Diagnostics.Tracing;
using System.Globalization;
using Microsoft.Diagnostics.NETCore.Client;
using Microsoft.Diagnostics.Tracing;
using Microsoft.Diagnostics.Tracing.Etlx;

namespace Drydock.Benchmarks.Engine;

/// <summary>
/// Where W1 spends its time: the process of our engine, sampled by its own runtime over EventPipe while it runs chains of steps. A sample is
/// a thread that runs managed code, or that is in native code called from it; threads that wait are left out by the method they wait in.
/// </summary>
internal sealed class EngineProfile(TextWriter output)
{
    private const string SampleProvider = "Microsoft-DotNETCore-SampleProfiler";
    private const string RuntimeProvider = "Microsoft-Windows-DotNETRuntime";

    // Loader, jit and the rundown of what was compiled before: names for addresses.
    private const long NamesOfMethods = 0x8 | 0x10 | 0x20 | 0x40;
    private const int Lines = 15;

    // ThreadSample's only field: 1 outside of managed code, 2 in it.
    private const int InNativeCode = 1;
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Sampled = TimeSpan.FromSeconds(10);

    // Where a thread of this program is that has nothing to do.
    private static readonly string[] Waiting =
    [
        "System.Threading.Monitor.Wait", "System.Threading.Monitor.<Wait>", "WaitHandle.WaitOne", "WaitHandle.WaitMultiple", "LowLevelLifoSemaphore.Wait",
        "LowLevelLifoSemaphore.<", "Thread.Sleep", "Interop+Sys.WaitForSocketEvents", "Interop+Sys.Read(", "Interop+Sys.Poll", "PortableThreadPool+GateThread",
        "PortableThreadPool+WorkerThread.WorkerThreadStart", "WaitSubsystem", "Monitor.ObjWait", "ManualResetEventSlim.Wait", "Console.Read", "TimerThread",
    ];

    public async Task MeasureAsync()
    {
        var trace = Path.Combine(Path.GetTempPath(), $"drydock-w1-{Guid.NewGuid():N}.nettrace");
        try
        {
            await RecordAsync(trace);
            await WriteAsync(trace);
        }
        finally
        {
            File.Delete(trace);
            File.Delete(Path.ChangeExtension(trace, ".etlx"));
        }
    }

    private async Task RecordAsync(string trace)
    {
        var folder = Directory.CreateTempSubdirectory("drydock-engine-profile-");
        using var engine = await LineProcess.StartAsync(
            "dotnet", [typeof(EngineProfile).Assembly.Location, EngineProcess.Verb, Path.Combine(folder.FullName, "hub.db")]);
        await RunAsync(engine, WarmUp);
        using var session = await new DiagnosticsClient(engine.Id).StartEventPipeSessionAsync(
            [
                new EventPipeProvider(SampleProvider, EventLevel.Informational),
                new EventPipeProvider(RuntimeProvider, EventLevel.Informational, NamesOfMethods),
            ],
            requestRundown: true,
            circularBufferMB: 512,
            CancellationToken.None);
        await using var file = File.Create(trace);
        var copied = session.EventStream.CopyToAsync(file);
        var steps = await RunAsync(engine, Sampled);
        await session.StopAsync(CancellationToken.None);
        await copied;
        await engine.KillAsync();
        folder.Delete(recursive: true);
        await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"W1 while it was sampled: {steps:#,0} steps/s (sampling stops all threads, so this is less than it is alone)"));
    }

    private static async Task<double> RunAsync(LineProcess engine, TimeSpan time)
    {
        var from = TimeProvider.System.GetTimestamp();
        var (steps, seconds) = (0, 0.0);
        while (TimeProvider.System.GetElapsedTime(from) < time)
        {
            seconds += (await engine.AskAsync("chains 500")).GetProperty("seconds").GetDouble();
            steps += 2500;
        }

        return steps / seconds;
    }

    private async Task WriteAsync(string trace)
    {
        Dictionary<string, int> own = new(StringComparer.Ordinal);
        var samples = 0;
        using (var log = TraceLog.OpenOrConvert(TraceLog.CreateFromEventPipeDataFile(trace)))
        {
            foreach (var sample in log.Events.Where(one => one.ProviderName == SampleProvider))
            {
                if (MethodOf(sample) is { } method && !Waiting.Any(place => method.Contains(place, StringComparison.Ordinal)))
                {
                    own[method] = own.GetValueOrDefault(method) + 1;
                    samples++;
                }
            }
        }

        await output.WriteLineAsync($"{samples} samples of threads that were at work; the {Lines} methods with the most of their own:");
        foreach (var (method, count) in own.OrderByDescending(one => one.Value).ThenBy(one => one.Key, StringComparer.Ordinal).Take(Lines))
        {
            await output.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{count * 100.0 / samples,6:0.0} %  {method}"));
        }
    }

    /// <summary>The innermost managed method of a sample, marked if the thread was in native code that it called.</summary>
    private static string? MethodOf(TraceEvent sample)
    {
        for (var frame = sample.CallStack(); frame is not null; frame = frame.Caller)
        {
            if (frame.CodeAddress.FullMethodName is { Length: > 0 } name)
            {
                return BitConverter.ToInt32(sample.EventData()) == InNativeCode ? $"{name} [native]" : name;
            }
        }

        return null;
    }
}
