using System.Text;
using Drydock.Api;
using Drydock.Maintenance;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>Where webhooks call back. Nobody is asked for a token: the signature over the call and the body is the credential.</summary>
internal static class CallbackEndpoint
{
    private const int LargestBody = 16 * 1024;

    public static async Task<Results<NoContent, ProblemResult>> PostAsync(
        string id, string action, HttpRequest request, Maintenances maintenances, ISecretFiles secrets, TimeProvider clock, CancellationToken cancellationToken)
    {
        // The bytes as they came: the signature is over them.
        using var buffer = new MemoryStream();
        var chunk = new byte[4096];
        for (int read; (read = await request.Body.ReadAsync(chunk, cancellationToken)) > 0;)
        {
            await buffer.WriteAsync(chunk.AsMemory(0, read), cancellationToken);
            if (buffer.Length > LargestBody)
            {
                return new ProblemResult(Problems.Invalid(new FieldError("body", null, $"at most {LargestBody} bytes")));
            }
        }

        var body = Body<CallbackRequest>.Read(buffer.ToArray());
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        if (body.Value.Succeeded is not { } succeeded)
        {
            return new ProblemResult(Problems.Invalid(new FieldError("succeeded", null, "true or false")));
        }

        var text = Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
        var problem = await maintenances.CallBackAsync(
            id, action, file => IsSignedAsync(file, request, WebhookSignature.KeyOf(id, action), text, secrets, clock, cancellationToken), new WebhookCallback(succeeded, Short(body.Value.Message)), cancellationToken);
        return problem is null ? TypedResults.NoContent() : new ProblemResult(problem);
    }

    private static async Task<bool> IsSignedAsync(
        string file, HttpRequest request, string key, string body, ISecretFiles secrets, TimeProvider clock, CancellationToken cancellationToken) =>
        await secrets.ReadAsync(file, cancellationToken) is { } secret
        && WebhookSignature.CallbackProblem(
            secret, request.Headers[WebhookSignature.TimestampHeader], request.Headers[WebhookSignature.Header], key, body, clock.GetUtcNow()) is null;

    private static string? Short(string? message) => message is { Length: > 500 } ? message[..500] + "…" : message;
}
