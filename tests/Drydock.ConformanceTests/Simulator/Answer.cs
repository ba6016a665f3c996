using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>What came back.</summary>
internal sealed record Answer(int Code, IReadOnlyDictionary<string, IReadOnlyList<string>> Headers, JsonNode? Body, string Text)
{
    public static Answer Of(HttpResponseMessage response, string text)
    {
        var headers = response.Headers.Concat(response.Content.Headers)
            .ToDictionary(h => h.Key, h => (IReadOnlyList<string>)[.. h.Value], StringComparer.OrdinalIgnoreCase);
        JsonNode? body = null;
        try
        {
            body = text.Length == 0 ? null : JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            // Plain text, then.
        }

        return new Answer((int)response.StatusCode, headers, body, text);
    }
}

/// <summary>A watch that collects its lines.</summary>
internal sealed class OpenWatch : IDisposable
{
    private readonly HttpResponseMessage _response;
    private readonly List<JsonObject> _lines = [];

    private OpenWatch(HttpResponseMessage response) => _response = response;

    public int Code => (int)_response.StatusCode;

    public IReadOnlyList<JsonObject> Lines
    {
        get
        {
            lock (_lines)
            {
                return [.. _lines];
            }
        }
    }

    public static async Task<OpenWatch> OpenAsync(HttpClient client, HttpRequestMessage message)
    {
        var watch = new OpenWatch(await client.SendAsync(message, HttpCompletionOption.ResponseHeadersRead));
        _ = watch.ReadAsync();

        return watch;
    }

    public void Dispose() => _response.Dispose();

    private async Task ReadAsync()
    {
        using var reader = new StreamReader(await _response.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Add(JsonNode.Parse(line)!.AsObject());
            }
        }
    }
}
