using System.Net;
using System.Net.Sockets;

namespace Drydock.EndToEndTests.Notifications;

/// <summary>A mail server on loopback (RFC 5321, as far as a client needs it) that keeps every message, and turns the first ones away with 451.</summary>
internal sealed class MailSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly List<string> _messages = [];
    private readonly Task _serving;
    private int _turnAway;

    public MailSink(int turnAway)
    {
        _turnAway = turnAway;
        _listener.Start();
        _serving = ServeAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What was accepted, as it came.</summary>
    public IReadOnlyList<string> Messages
    {
        get
        {
            lock (_gate)
            {
                return [.. _messages];
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _serving;
        _stop.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            while (true)
            {
                using var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                await TalkAsync(client);
            }
        }
        catch (Exception error) when (error is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Closed.
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        await using var stream = client.GetStream();
        using var reader = new StreamReader(stream);
        await using var writer = new StreamWriter(stream) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 sink ESMTP");
        while (await reader.ReadLineAsync(_stop.Token) is { } line)
        {
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            if (verb == "DATA")
            {
                await writer.WriteLineAsync("354 go on");
                await TakeAsync(reader, writer);
                continue;
            }

            await writer.WriteLineAsync(verb switch
            {
                "EHLO" => "250 sink",
                "MAIL" when Interlocked.Decrement(ref _turnAway) >= 0 => "451 try again later",
                "QUIT" => "221 bye",
                _ => "250 ok",
            });
        }
    }

    private async Task TakeAsync(StreamReader reader, StreamWriter writer)
    {
        var lines = new List<string>();
        while (await reader.ReadLineAsync(_stop.Token) is { } line && line != ".")
        {
            lines.Add(line);
        }

        lock (_gate)
        {
            _messages.Add(string.Join('\n', lines));
        }

        // No goodbye is waited for: a client whose message is taken must not take a broken line for a failure.
        await writer.WriteLineAsync("250 taken");
    }
}
