using Drydock.Api;

namespace Drydock.Cli.Output;

/// <summary>What a follower of a maintenance is told.</summary>
internal abstract record ProgressEvent
{
    private ProgressEvent()
    {
    }

    /// <summary>The maintenance as it stands now.</summary>
    public sealed record Changed(MaintenanceView View) : ProgressEvent;

    /// <summary>Something beside the maintenance: the server was killed, the connection was lost.</summary>
    /// <param name="Kind">One word: <c>killed</c>, <c>restarted</c>, <c>lost</c>.</param>
    /// <param name="Text">One sentence.</param>
    public sealed record Note(string Kind, string Text) : ProgressEvent;
}
