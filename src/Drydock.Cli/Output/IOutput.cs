using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>Where plan, progress and summary go: lines, a live screen or JSON lines. One renderer, three papers.</summary>
internal interface IOutput
{
    /// <summary>Shows a plan.</summary>
    void Plan(PlanView plan);

    /// <summary>Shows one sentence of this program: what it does now, where to look.</summary>
    /// <param name="kind">Stable word for programs, such as <c>server</c>.</param>
    /// <param name="text">For people.</param>
    /// <param name="data">For programs; null: only the text.</param>
    void Say(string kind, string text, object? data = null);

    /// <summary>Shows progress until the events end.</summary>
    /// <returns>The last view, or null if there was none.</returns>
    Task<MaintenanceView?> FollowAsync(IAsyncEnumerable<ProgressEvent> events, CancellationToken cancellationToken);

    /// <summary>Shows how it ended.</summary>
    void Summary(MaintenanceView view);

    /// <summary>Shows one more part of a longer output: lines for people, or the data as one JSON line with this type.</summary>
    void Part(string type, object data, IEnumerable<string> lines);

    /// <summary>Shows all that a verb has to say: lines for people, or the data as one JSON document.</summary>
    void Document(object data, IEnumerable<string> lines);
}
