using System.Diagnostics;
using Drydock.Kubernetes;

namespace Drydock.Server.Callers;

/// <summary>Who did what, from where and why: one line for each request that changes something, and for each that was refused.</summary>
internal static partial class Audit
{
    private static readonly object ReasonKey = new();
    private static readonly object MissingKey = new();

    /// <summary>Remembers the permission that a request lacked besides the one of its endpoint.</summary>
    public static void SetMissing(HttpContext context, Permission permission) => context.Items[MissingKey] = permission;

    /// <summary>Remembers what the caller said of his reason, for the line of this request.</summary>
    public static void SetReason(HttpContext context, string? reason)
    {
        if (reason is { Length: > 0 })
        {
            // A line of a log is one line, whatever a caller writes into it.
            context.Items[ReasonKey] = new string([.. reason.Take(200).Select(static c => char.IsControl(c) ? ' ' : c)]);
        }
    }

    /// <summary>Writes the line if there is something to say.</summary>
    /// <param name="logger">Where to.</param>
    /// <param name="context">The request.</param>
    /// <param name="permission">What it needed.</param>
    /// <param name="failed">What is answered, if that is not in the response yet.</param>
    public static void Write(ILogger logger, HttpContext context, Permission? permission, int? failed = null)
    {
        var (request, status) = (context.Request, failed ?? context.Response.StatusCode);
        var refused = status is 401 or 403;
        if (!refused && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method)))
        {
            return;
        }

        var user = context.Features.Get<UserIdentity>();
        Line(
            logger, refused ? LogLevel.Warning : LogLevel.Information, user?.Name ?? "nobody", context.Connection.RemoteIpAddress?.ToString() ?? "here",
            request.Method, request.Path.Value ?? "", (context.Items[MissingKey] ?? permission)?.ToString() ?? "a token", context.Items[ReasonKey] as string ?? "", status,
            Activity.Current?.TraceId.ToHexString() ?? "");
    }

    [LoggerMessage(EventId = 5101, Message = "Audit: {User} from {Address} asked {Method} {Path} (needs {Permission}; reason: '{Reason}'): {Status}. Trace {TraceId}.")]
    private static partial void Line(
        ILogger logger, LogLevel level, string user, string address, string method, string path, string permission, string reason, int status, string traceId);
}
