using Microsoft.Extensions.Primitives;

namespace Drydock.Simulator.Api;

/// <summary>A request, whichever way it came in.</summary>
internal sealed record ApiRequest(string Method, string Path, IReadOnlyDictionary<string, StringValues> Query, byte[] Body)
{
    public string Accept { get; init; } = "";

    public string ContentType { get; init; } = "";

    public string? Authorization { get; init; }

    public string? UserAgent { get; init; }

    public string? IfNoneMatch { get; init; }

    /// <summary>The header Impersonate-User.</summary>
    public string? ImpersonatedUser { get; init; }

    /// <summary>The headers Impersonate-Group.</summary>
    public IReadOnlyList<string> ImpersonatedGroups { get; init; } = [];

    /// <summary>Who sent it, once that is known.</summary>
    public Caller Caller { get; init; } = Access.Anonymous;

    /// <summary>The value of a query parameter; empty if it is absent.</summary>
    public string this[string parameter] => Query.TryGetValue(parameter, out var values) ? values.ToString() : "";

    public bool DryRun => this["dryRun"] == "All";

    public bool IsTrue(string parameter) => this[parameter] is "true" or "1";
}

/// <summary>Hands a piece of a streamed body to the client; done when the client has taken it.</summary>
internal delegate ValueTask BodyWriter(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken);

/// <summary>An answer, whichever way it goes out.</summary>
internal sealed record ApiAnswer(int Code, string? ContentType, ReadOnlyMemory<byte> Body)
{
    public IReadOnlyList<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>The body in parts that are kept elsewhere, in place of <see cref="Body"/>: that of a long list is never put together.</summary>
    public IReadOnlyList<ReadOnlyMemory<byte>>? Parts { get; init; }

    /// <summary>How many bytes the body has.</summary>
    public int Length => Parts?.Sum(part => part.Length) ?? Body.Length;

    /// <summary>Writes the body bit by bit, for as long as a watch lasts.</summary>
    public Func<BodyWriter, CancellationToken, Task>? Stream { get; init; }

    /// <summary>The client sees its connection break instead of an answer.</summary>
    public bool Reset { get; init; }

    public static ApiAnswer Text(int code, string text) =>
        new(code, "text/plain; charset=utf-8", System.Text.Encoding.UTF8.GetBytes(text));

    public static ApiAnswer NoSuchPage() => Text(404, "404 page not found\n");

    /// <summary>The body in one piece.</summary>
    public ReadOnlyMemory<byte> Whole()
    {
        if (Parts is null)
        {
            return Body;
        }

        var (whole, end) = (new byte[Length], 0);
        foreach (var part in Parts)
        {
            part.CopyTo(whole.AsMemory(end));
            end += part.Length;
        }

        return whole;
    }

    /// <summary>With the tag of its body; 304 and nothing more for a client that has it already.</summary>
    public ApiAnswer UnlessKnown(ApiRequest request)
    {
        var tag = $"\"{Convert.ToHexString(System.Security.Cryptography.SHA512.HashData(Body.Span))}\"";

        return (request.IfNoneMatch == tag ? new ApiAnswer(304, null, default) : this).With("Etag", tag);
    }

    public ApiAnswer With(string header, string value) => this with { Headers = [.. Headers, (header, value)] };
}
