namespace Drydock.Server.Callers;

/// <summary>The form that takes a token. Nothing that a caller sent is in it.</summary>
/// <param name="status">The status of the answer.</param>
/// <param name="sentence">What is wrong, or null; one of our own sentences.</param>
internal sealed class LoginPage(int status, string? sentence) : IResult
{
    /// <summary>The status of the answer.</summary>
    public int Status => status;

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = status;
        response.ContentType = "text/html; charset=utf-8";
        var headers = response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";

        // Not no-referrer: a form would then say that it comes from nowhere, and where it comes from is looked at.
        headers["Referrer-Policy"] = "same-origin";
        headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
        return HttpMethods.IsHead(httpContext.Request.Method)
            ? Task.CompletedTask
            : response.WriteAsync(Html(sentence is null ? "" : $"<p role=\"alert\"><strong>{sentence}</strong></p>"), httpContext.RequestAborted);
    }

    private static string Html(string alert) => $$"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Drydock: log in</title>
        <style>body{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:4em auto;padding:0 1em}textarea{width:100%;font:14px monospace}button{font:inherit;padding:.3em 1em}</style>
        </head>
        <body>
        <h1>Drydock</h1>
        {{alert}}
        <p>These documents are for people whom the cluster knows. Paste a bearer token, such as that of
        <code>kubectl create token NAME</code> or <code>oc whoami -t</code>, or of your OpenID Connect provider.</p>
        <form method="post" action="/docs" autocomplete="off">
        <p><label for="token">Token</label><br><textarea id="token" name="token" rows="6" required autofocus spellcheck="false"></textarea></p>
        <p><button type="submit">Log in</button></p>
        </form>
        <p>It is kept for an hour at most, by this browser, for reading these documents only.</p>
        </body>
        </html>
        """;
}
