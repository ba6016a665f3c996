using System.Text;
using System.Text.Json;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Api;

/// <summary>One event of a watch: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.</summary>
internal readonly record struct WatchEvent(string Type, JsonElement Object);

/// <summary>An open watch.</summary>
internal sealed class WatchStream(HttpResponseMessage response, Stream stream) : IDisposable
{
    private readonly StreamReader _reader = new(stream, Encoding.UTF8);

    /// <summary>The next event, or null when the server closed the watch.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<WatchEvent?> ReadAsync(CancellationToken cancellationToken)
    {
        var line = await _reader.ReadLineAsync(cancellationToken);
        if (string.IsNullOrEmpty(line))
        {
            return null;
        }

        var json = JsonReading.Parse(Encoding.UTF8.GetBytes(line));
        return new WatchEvent(json.Text("type") ?? "", json.At("object"));
    }

    public void Dispose()
    {
        _reader.Dispose();
        response.Dispose();
    }
}
