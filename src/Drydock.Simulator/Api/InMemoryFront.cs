using System.Net;
using System.Net.Http.Headers;
using System.Threading.Channels;

namespace Drydock.Simulator.Api;

/// <summary>The server as the handler of an HttpClient: no sockets, and no time passes but that of the clock.</summary>
internal sealed class InMemoryFront(Func<ApiRequest, CancellationToken, Task<ApiAnswer>> handle, Func<DateTimeOffset?> date) : HttpMessageHandler
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var uri = request.RequestUri!;
        var body = request.Content is null ? [] : await request.Content.ReadAsByteArrayAsync(cancellationToken);
        var headers = request.Headers;
        var answer = await handle(
            new ApiRequest(request.Method.Method, uri.AbsolutePath, Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(uri.Query), body)
            {
                Accept = headers.Accept.ToString(),
                ContentType = request.Content?.Headers.ContentType?.ToString() ?? "",
                Authorization = headers.Authorization?.ToString(),
                UserAgent = headers.UserAgent.ToString(),
                IfNoneMatch = headers.IfNoneMatch.ToString(),
                ImpersonatedUser = headers.TryGetValues("Impersonate-User", out var users) ? users.First() : null,
                ImpersonatedGroups = headers.TryGetValues("Impersonate-Group", out var groups) ? [.. groups] : [],
            },
            cancellationToken);
        if (answer.Reset)
        {
            throw new HttpRequestException(HttpRequestError.ResponseEnded, "The simulated connection was reset.");
        }

        var message = Message(request, answer);
        message.Headers.Date = date();
        return message;
    }

    private static HttpResponseMessage Message(HttpRequestMessage request, ApiAnswer answer)
    {
        HttpContent content = answer.Stream is { } stream
            ? new StreamContent(WatchBody.Start(stream))
            : new ReadOnlyMemoryContent(answer.Whole());
        content.Headers.ContentType = answer.ContentType is null ? null : MediaTypeHeaderValue.Parse(answer.ContentType);
        var message = new HttpResponseMessage((HttpStatusCode)answer.Code) { Content = content, RequestMessage = request };
        foreach (var (name, value) in answer.Headers)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        return message;
    }

    /// <summary>
    /// The body of a watch. A piece counts as delivered when the reader comes back for more: only then has the client dealt with it, and
    /// only then may a clock that waits for quiet move on.
    /// </summary>
    private sealed class WatchBody : Stream
    {
        private readonly Channel<(ReadOnlyMemory<byte> Bytes, TaskCompletionSource Taken)> _pieces =
            Channel.CreateUnbounded<(ReadOnlyMemory<byte> Bytes, TaskCompletionSource Taken)>();

        private readonly CancellationTokenSource _closed = new();
        private ReadOnlyMemory<byte> _rest;
        private TaskCompletionSource? _taken;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException("A watch has no length.");

        public override long Position
        {
            get => throw new NotSupportedException("A watch has no position.");
            set => throw new NotSupportedException("A watch has no position.");
        }

        public static WatchBody Start(Func<BodyWriter, CancellationToken, Task> stream)
        {
            var body = new WatchBody();
            _ = body.RunAsync(stream);

            return body;
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_rest.IsEmpty)
            {
                _taken?.TrySetResult();
                _taken = null;
                if (!await _pieces.Reader.WaitToReadAsync(cancellationToken) || !_pieces.Reader.TryRead(out var piece))
                {
                    return 0;
                }

                (_rest, _taken) = piece;
            }

            var count = Math.Min(buffer.Length, _rest.Length);
            _rest[..count].CopyTo(buffer);
            _rest = _rest[count..];

            return count;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException("A watch is read asynchronously.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A watch cannot be rewound.");

        public override void SetLength(long value) => throw new NotSupportedException("A watch has no length.");

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("A watch is read only.");

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _closed.Cancel();
                _taken?.TrySetResult();
            }

            base.Dispose(disposing);
        }

        private async Task RunAsync(Func<BodyWriter, CancellationToken, Task> stream)
        {
            try
            {
                await stream(HandAsync, _closed.Token);
                _pieces.Writer.TryComplete();
            }
            catch (OperationCanceledException)
            {
                // The client has left its watch.
                _pieces.Writer.TryComplete();
            }
            catch (Exception failure)
            {
                _pieces.Writer.TryComplete(new IOException("The simulated watch failed.", failure));
            }
        }

        private async ValueTask HandAsync(ReadOnlyMemory<byte> piece, CancellationToken cancellationToken)
        {
            var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _pieces.Writer.TryWrite((piece, taken));
            await taken.Task.WaitAsync(cancellationToken);
        }
    }
}
