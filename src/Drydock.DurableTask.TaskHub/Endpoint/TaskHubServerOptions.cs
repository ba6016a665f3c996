using System.Net;

namespace Drydock.DurableTask.TaskHub.Endpoint;

/// <summary>Where hubs are served over gRPC and to whom.</summary>
public sealed class TaskHubServerOptions
{
    /// <summary>The address that Durable Task SDKs use unless told otherwise.</summary>
    public static readonly IPEndPoint DefaultAddress = new(IPAddress.Loopback, 4001);

    /// <summary>Where it listens, in clear text HTTP/2; port 0 takes a free one. The default is <see cref="DefaultAddress"/>.</summary>
    public IPEndPoint Listen { get; set; } = DefaultAddress;

    /// <summary>
    /// What every caller must send as <c>authorization: Bearer …</c>. Null lets everybody in who can connect, which is allowed on a
    /// loopback address only.
    /// </summary>
    public string? Token { get; set; }

    /// <summary>How often a stream of work items shows that it lives. Workers give up after 120 seconds. The default is 20 seconds.</summary>
    public TimeSpan PingInterval { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// The largest message that is sent to a caller that names no larger one, in bytes: most SDKs refuse more than 4 MiB, and with that
    /// the whole stream. The default is 4,150,000.
    /// </summary>
    public int LargestMessage { get; set; } = 4_150_000;

    /// <summary>How long a stop waits for what workers hold. The default is 10 seconds.</summary>
    public TimeSpan DrainTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether callers may delete hubs, with everything in them. The default is false.</summary>
    public bool AllowHubDeletion { get; set; }

    /// <summary>What is wrong with these options, one sentence each; empty if nothing.</summary>
    public IReadOnlyList<string> Validate()
    {
        List<string> errors = [];
        if (Token is null && !IPAddress.IsLoopback(Listen.Address))
        {
            errors.Add($"{Listen} can be reached from other machines; give a bearer token, or listen on 127.0.0.1.");
        }

        if (Token is { Length: < 16 })
        {
            errors.Add("The bearer token is shorter than 16 characters; make one with 'openssl rand -hex 32'.");
        }

        return errors;
    }
}
