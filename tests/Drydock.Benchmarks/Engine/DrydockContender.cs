using System.Text.Json;

namespace Drydock.Benchmarks.Engine;

/// <summary>Our engine: hub, worker and client in one process, as <c>drydock serve</c> runs it.</summary>
internal sealed class DrydockContender : Contender
{
    private LineProcess? _process;

    public override string Name => "Drydock";

    protected override IEnumerable<int> Processes => [_process!.Id];

    public override async Task StartAsync() => _process = await LineProcess.StartAsync(
        "dotnet", [typeof(DrydockContender).Assembly.Location, EngineProcess.Verb, Path.Combine(Folder.FullName, "hub.db")]);

    public override Task<JsonElement> AskAsync(string request) => _process!.AskAsync(request);

    public override Task KillAsync() => _process!.KillAsync();

    public override ValueTask DisposeAsync()
    {
        _process?.Dispose();
        return base.DisposeAsync();
    }
}
