using System.Diagnostics;
using System.Text.Json;

namespace Drydock.Benchmarks;

/// <summary>What a server keeps when it rests after its work.</summary>
internal static class Rest
{
    /// <summary>How long it rests before it is measured: by then it has given back what it will.</summary>
    public static readonly TimeSpan Time = TimeSpan.FromMinutes(4.5);

    /// <summary>Runs a demo, leaves its server alone and asks the system how much memory the server has then.</summary>
    /// <returns>Resident memory, in MB.</returns>
    public static async Task<double> MeasureAsync(string program, string scenario)
    {
        var start = new ProcessStartInfo("dotnet", [program, "demo", "--scenario", scenario, "--keep", "-o", "json"])
        {
            UseShellExecute = false, RedirectStandardOutput = true,
        };
        using var demo = Process.Start(start)!;
        var server = (await ReadNoteAsync(demo, "server")).GetProperty("data").GetProperty("process").GetInt32();
        await ReadNoteAsync(demo, "kept");
        await Task.Delay(Time, TimeProvider.System, CancellationToken.None);
        using var process = Process.GetProcessById(server);
        var resident = process.WorkingSet64 / 1e6;
        demo.Kill();
        await demo.WaitForExitAsync();
        return resident;
    }

    private static async Task<JsonElement> ReadNoteAsync(Process demo, string kind)
    {
        while (await demo.StandardOutput.ReadLineAsync() is { } line)
        {
            var told = JsonDocument.Parse(line).RootElement;
            if (told.TryGetProperty("kind", out var found) && found.GetString() == kind)
            {
                return told;
            }
        }

        throw new InvalidOperationException($"The demo ended without the note '{kind}'.");
    }
}
