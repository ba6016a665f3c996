using System.Net;
using System.Text;
using System.Threading.Channels;
using Drydock.Kubernetes;

namespace Drydock.UnitTests.Kubernetes;

/// <summary>An API server that answers what the test says and remembers what it was asked.</summary>
internal sealed class PlayedServer : HttpMessageHandler
{
    private readonly List<(string Start, Func<PlayedRequest, CancellationToken, Task<HttpResponseMessage>> Answer)> _answers = [];
    private readonly Lock _gate = new();

    /// <summary>What was asked, as <c>METHOD path?query</c>, with bodies.</summary>
    public List<PlayedRequest> Requests { get; } = [];

    public IReadOnlyList<string> Asked
    {
        get
        {
            lock (_gate)
            {
                return [.. Requests.Select(request => request.Line)];
            }
        }
    }

    /// <summary>Answers requests whose line starts so; the latest rule that fits answers.</summary>
    public PlayedServer On(string start, int code, string body = "{}", string type = "application/json", string? retryAfter = null) =>
        On(start, (_, _) => Task.FromResult(Answer(code, body, type, retryAfter)));

    public PlayedServer On(string start, Func<PlayedRequest, HttpResponseMessage> answer) => On(start, (request, _) => Task.FromResult(answer(request)));

    public PlayedServer On(string start, Func<PlayedRequest, CancellationToken, Task<HttpResponseMessage>> answer)
    {
        lock (_gate)
        {
            _answers.Insert(0, (start, answer));
        }

        return this;
    }

    public KubernetesCluster Connect(TimeProvider? clock = null) =>
        KubernetesCluster.Open(ClusterConnection.InMemory(this, new Uri("http://played")), clock ?? TimeProvider.System);

    public static HttpResponseMessage Answer(int code, string body = "{}", string type = "application/json", string? retryAfter = null)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)code) { Content = new StringContent(body, Encoding.UTF8, type) };
        if (retryAfter is not null)
        {
            answer.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
        }

        return answer;
    }

    /// <summary>What an API server says of an object that is not there.</summary>
    public static HttpResponseMessage NotFound(string name) =>
        Answer(404, $$$"""{"kind":"Status","reason":"NotFound","message":"\"{{{name}}}\" not found","details":{"name":"{{{name}}}"},"code":404}""");

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        var played = new PlayedRequest(
            $"{request.Method} {Uri.UnescapeDataString(request.RequestUri!.PathAndQuery)}", body, request.Content?.Headers.ContentType?.MediaType)
        {
            Accept = request.Headers.NonValidated.TryGetValues("Accept", out var accept) ? accept.ToString() : null,
        };
        Func<PlayedRequest, CancellationToken, Task<HttpResponseMessage>>? answer;
        lock (_gate)
        {
            Requests.Add(played);
            answer = _answers.FirstOrDefault(rule => played.Line.StartsWith(rule.Start, StringComparison.Ordinal)).Answer;
        }

        return answer is null ? Answer(404, "404 page not found", "text/plain") : await answer(played, cancellationToken);
    }
}

internal sealed record PlayedRequest(string Line, string Body, string? ContentType)
{
    /// <summary>The header as it was sent, or null.</summary>
    public string? Accept { get; init; }
}

/// <summary>A watch that stays open until the test closes or breaks it.</summary>
internal sealed class PlayedWatch
{
    private readonly Channel<string?> _lines = Channel.CreateUnbounded<string?>();

    public void Send(string type, string json) => _lines.Writer.TryWrite($$$"""{"type":"{{{type}}}","object":{{{json.ReplaceLineEndings(" ")}}}}""" + "\n");

    public void Close() => _lines.Writer.TryComplete();

    public void Break() => _lines.Writer.TryComplete(new IOException("The connection was reset."));

    public HttpResponseMessage Open() => new(HttpStatusCode.OK) { Content = new StreamContent(new LineStream(_lines.Reader)) };

    private sealed class LineStream(ChannelReader<string?> lines) : Stream
    {
        private byte[] _rest = [];

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_rest.Length == 0)
            {
                if (!await lines.WaitToReadAsync(cancellationToken) || !lines.TryRead(out var line))
                {
                    return 0;
                }

                _rest = Encoding.UTF8.GetBytes(line!);
            }

            var count = Math.Min(buffer.Length, _rest.Length);
            _rest.AsMemory(0, count).CopyTo(buffer);
            _rest = _rest[count..];
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
