using Drydock.Kubernetes;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Callers;

/// <summary>
/// Lets a browser read the documents, though it sends no bearer token by itself: a form takes the token, the usual authentication checks it,
/// and a cookie keeps it. The cookie counts for GET of the documents and for nothing else, and each of those is authenticated anew.
/// </summary>
internal static class DocumentLogin
{
    /// <summary>The page of the documents, where the form is and where it is sent.</summary>
    public const string Home = "/docs";

    private const string LogOutPath = Home + "/logout";
    private const string Cookie = "drydock-documents";
    private const string Field = "token";

    // Browsers keep no more than 4096 bytes of name, value and attributes (RFC 6265, 6.1).
    private const int LongestInCookie = 3800;

    // One for each path, so that a browser does not even send it anywhere else.
    private static readonly string[] Paths = [Home, "/openapi"];
    private static readonly TimeSpan LongestSession = TimeSpan.FromHours(1);

    /// <summary>Ends the session of a browser: a button for the page of the documents.</summary>
    public static string LogOutButton => $"""
        <form method="post" action="{LogOutPath}" style="text-align:right;padding:.4em 1em;margin:0"><button type="submit">Log out</button></form>
        """;

    /// <summary>Maps what the form is sent to.</summary>
    public static void MapDocumentLogin(this IEndpointRouteBuilder app)
    {
        app.MapPost(Home, LogInAsync).ForAnybody().ExcludeFromDescription();
        app.MapPost(LogOutPath, LogOut).ForAnybody().ExcludeFromDescription();
    }

    /// <summary>Takes the token out of the cookie where that counts, so that limits and authentication see it as they see any other.</summary>
    public static void ReadCookie(HttpContext context)
    {
        var request = context.Request;
        if (IsDocument(context) && request.Headers.Authorization.Count == 0 && request.Cookies.TryGetValue(Cookie, out var token) && BearerToken.IsToken(token))
        {
            request.Headers.Authorization = "Bearer " + token;
        }
    }

    /// <summary>The form for a browser that asks for a document without a token that counts; null: whoever asks is none.</summary>
    public static IResult? PageFor(HttpContext context)
    {
        if (!IsDocument(context) || !context.Request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        if (!context.Request.Cookies.ContainsKey(Cookie))
        {
            return new LoginPage(StatusCodes.Status401Unauthorized, null);
        }

        Forget(context);
        return new LoginPage(StatusCodes.Status401Unauthorized, "Your token is not accepted any more: it has expired or was taken back. Log in again.");
    }

    private static bool IsDocument(HttpContext context) =>
        (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
        && context.GetEndpoint()?.Metadata.GetMetadata<EndpointAccess>() == EndpointAccess.AnyCaller;

    private static async Task<IResult> LogInAsync(HttpContext context, ICallers callers, TimeProvider clock, ILogger<LoginPage> logger)
    {
        var page = await CheckAsync(context, callers, clock);
        Audit.Write(logger, context, permission: null, page?.Status ?? StatusCodes.Status303SeeOther);
        return page is null ? new SeeDocuments() : page;
    }

    /// <summary>Null, and the cookie is set; or the page that says why it is not.</summary>
    private static async Task<LoginPage?> CheckAsync(HttpContext context, ICallers callers, TimeProvider clock)
    {
        if (!IsFromHere(context.Request))
        {
            return new LoginPage(StatusCodes.Status403Forbidden, "The form was sent by a page of another site. Use this one.");
        }

        if (await ReadTokenAsync(context) is not { } token)
        {
            return new LoginPage(StatusCodes.Status401Unauthorized, "Paste a bearer token: one word, without the word Bearer before it.");
        }

        if (Uri.EscapeDataString(token).Length > LongestInCookie)
        {
            return new LoginPage(
                StatusCodes.Status401Unauthorized, $"The token is longer than a browser keeps ({LongestInCookie} characters). Send it as 'Authorization: Bearer' with another program.");
        }

        context.Request.Headers.Authorization = "Bearer " + token;
        try
        {
            if (await callers.IdentifyAsync(context, context.RequestAborted) is not { } user)
            {
                return new LoginPage(StatusCodes.Status401Unauthorized, "The token is not accepted: it is unknown, has expired, or is for another audience.");
            }

            context.Features.Set(user);
        }
        catch (ClusterException)
        {
            return new LoginPage(StatusCodes.Status503ServiceUnavailable, "The cluster, which knows the tokens, does not answer. Try again in a moment.");
        }

        Remember(context, token, clock.GetUtcNow());
        return null;
    }

    // A browser names where a form comes from; a program need not.
    private static bool IsFromHere(HttpRequest request) =>
        request.Headers.Origin.ToString() is var origin
        && (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out var from) && string.Equals(from.Authority, request.Host.Value, StringComparison.OrdinalIgnoreCase)));

    private static async Task<string?> ReadTokenAsync(HttpContext context)
    {
        if (!context.Request.HasFormContentType)
        {
            return null;
        }

        try
        {
            var form = await context.Request.ReadFormAsync(context.RequestAborted);
            return form[Field] is [{ } text] && BearerToken.IsToken(text.Trim()) ? text.Trim() : null;
        }
        catch (InvalidDataException)
        {
            // A form that is none.
            return null;
        }
    }

    private static Results<SeeDocuments, LoginPage> LogOut(HttpContext context)
    {
        if (!IsFromHere(context.Request))
        {
            return new LoginPage(StatusCodes.Status403Forbidden, "The form was sent by a page of another site. Use this one.");
        }

        Forget(context);
        return new SeeDocuments();
    }

    private static void Remember(HttpContext context, string token, DateTimeOffset now)
    {
        var left = KubernetesCallers.Expiry(token) - now;
        foreach (var path in Paths)
        {
            context.Response.Cookies.Append(Cookie, token, Options(context.Request, path, left < LongestSession ? left : LongestSession));
        }
    }

    private static void Forget(HttpContext context)
    {
        foreach (var path in Paths)
        {
            context.Response.Cookies.Delete(Cookie, Options(context.Request, path, null));
        }
    }

    private static CookieOptions Options(HttpRequest request, string path, TimeSpan? age) => new()
    {
        Path = path,
        HttpOnly = true,
        SameSite = SameSiteMode.Strict,

        // Where a proxy ends TLS, the browser still says that it came by it.
        Secure = request.IsHttps || request.Headers.Origin.ToString().StartsWith("https://", StringComparison.OrdinalIgnoreCase),
        MaxAge = age,
    };

    /// <summary>To the documents, whatever was asked by which method.</summary>
    private sealed class SeeDocuments : IResult
    {
        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.StatusCode = StatusCodes.Status303SeeOther;
            httpContext.Response.Headers.Location = Home;
            httpContext.Response.Headers.CacheControl = "no-store";
            return Task.CompletedTask;
        }
    }
}
