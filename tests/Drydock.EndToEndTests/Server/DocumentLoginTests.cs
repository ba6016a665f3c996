using System.Buffers.Text;
using System.Net;
using System.Text;
using Drydock.Server.Callers;
using Drydock.Simulator.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>A browser before the documents of the real server, which asks for tokens: it gets a form, and then a cookie that opens nothing else.</summary>
public sealed class DocumentLoginTests : IAsyncLifetime
{
    private const string Cookie = "drydock-documents";
    private Harbour _harbour = null!;
    private HttpClient _browser = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    private Access Cluster => _harbour.Cluster.Api.Access;

    public async ValueTask InitializeAsync()
    {
        _harbour = await Harbour.OpenAsync(Token, configure: static options => options with { Access = new AccessOptions { Mode = AccessMode.Kubernetes } });
        Cluster.AddToken("ada-s-token", "ada");

        // Cookies by hand: the test says which one goes where.
        _browser = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = _harbour.Http.BaseAddress };
        _browser.DefaultRequestHeaders.Accept.ParseAdd("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    }

    public async ValueTask DisposeAsync()
    {
        _browser.Dispose();
        await _harbour.DisposeAsync();
    }

    [Theory]
    [InlineData("docs")]
    [InlineData("docs/")]
    [InlineData("openapi/v1.json")]
    public async Task A_browser_without_a_token_is_answered_with_a_form(string path)
    {
        using var answer = await _browser.GetAsync(path, Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        answer.Headers.WwwAuthenticate.Single().Scheme.ShouldBe("Bearer");
        answer.Headers.CacheControl!.NoStore.ShouldBeTrue();
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldStartWith("default-src 'none'");
        answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/html");
        (await answer.Content.ReadAsStringAsync(Token)).ShouldContain("""<form method="post" action="/docs" """);
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
    }

    [Fact]
    public async Task The_start_page_leads_there_and_nothing_but_the_documents_is_asked_for_by_a_form()
    {
        using var start = await _browser.GetAsync("/", Token);
        using var api = await _browser.GetAsync("api/v1/maintenances", Token);

        (start.StatusCode, start.Headers.Location!.ToString()).ShouldBe((HttpStatusCode.Redirect, "/docs"));
        (api.StatusCode, api.Content.Headers.ContentType!.MediaType).ShouldBe((HttpStatusCode.Unauthorized, "application/problem+json"));
    }

    [Theory]
    [InlineData("wrong", "The token is not accepted")]
    [InlineData("", "Paste a bearer token")]
    [InlineData("two words", "Paste a bearer token")]
    [InlineData("<script>alert(1)</script>", "The token is not accepted")]
    public async Task A_wrong_token_shows_the_form_again_and_says_why(string token, string sentence)
    {
        using var answer = await PostAsync(token);
        var page = await answer.Content.ReadAsStringAsync(Token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        page.ShouldContain(sentence);
        page.ShouldContain("<form");
        page.ShouldNotContain("alert(1)", Case.Insensitive, "What was sent is not shown.");
        answer.Headers.Contains("Set-Cookie").ShouldBeFalse();
    }

    [Fact]
    public async Task A_token_that_a_browser_could_not_keep_is_refused_in_words()
    {
        var token = new string('t', 4000);
        Cluster.AddToken(token, "ada");

        using var answer = await PostAsync(token);

        answer.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
        (await answer.Content.ReadAsStringAsync(Token)).ShouldContain("longer than a browser keeps");
    }

    [Fact]
    public async Task A_good_token_opens_the_documents_and_the_cookie_opens_nothing_else()
    {
        using var answer = await PostAsync("ada-s-token");
        var cookies = answer.Headers.GetValues("Set-Cookie").ToList();

        (answer.StatusCode, answer.Headers.Location!.ToString()).ShouldBe((HttpStatusCode.SeeOther, "/docs"));
        cookies.Select(static cookie => cookie.Split("; ").Single(static part => part.StartsWith("path=", StringComparison.Ordinal))).ShouldBe(["path=/docs", "path=/openapi"]);
        cookies.ShouldAllBe(static cookie => cookie.StartsWith(Cookie + "=ada-s-token; max-age=3600", StringComparison.Ordinal) && cookie.Contains("; httponly") && cookie.Contains("; samesite=strict") && !cookie.Contains("secure"));

        foreach (var path in (string[])["docs/", "docs/scalar.js", "openapi/v1.json"])
        {
            (await StatusAsync(HttpMethod.Get, path, "ada-s-token")).ShouldBe(HttpStatusCode.OK, path);
        }

        foreach (var (method, path) in new[] { (HttpMethod.Get, "api/v1/maintenances"), (HttpMethod.Post, "api/v1/maintenances"), (HttpMethod.Get, "api/v1/nodes"), (HttpMethod.Get, "metrics") })
        {
            (await StatusAsync(method, path, "ada-s-token")).ShouldBe(HttpStatusCode.Unauthorized, $"{method} {path}");
        }
    }

    [Fact]
    public async Task Who_logs_out_takes_the_cookie_along()
    {
        using var page = await SendAsync(HttpMethod.Get, "docs/", "ada-s-token");
        using var answer = await SendAsync(HttpMethod.Post, "docs/logout", "ada-s-token");

        (await page.Content.ReadAsStringAsync(Token)).ShouldContain("""action="/docs/logout" """.TrimEnd());
        answer.StatusCode.ShouldBe(HttpStatusCode.SeeOther);
        answer.Headers.GetValues("Set-Cookie").ShouldAllBe(static cookie => cookie.StartsWith(Cookie + "=; expires=Thu, 01 Jan 1970", StringComparison.Ordinal));
        answer.Headers.GetValues("Set-Cookie").Count().ShouldBe(2);
    }

    [Fact]
    public async Task A_cookie_lasts_no_longer_than_its_token()
    {
        var (soon, over) = (Jwt(TimeSpan.FromMinutes(10)), Jwt(TimeSpan.FromMinutes(-1)));
        Cluster.AddToken(soon, "ada");
        Cluster.AddToken(over, "ada");

        using var answer = await PostAsync(soon);
        using var late = await PostAsync(over);
        using var expired = await SendAsync(HttpMethod.Get, "docs", over);
        using var takenBack = await SendAsync(HttpMethod.Get, "docs", "nobody-s-any-more");

        var age = answer.Headers.GetValues("Set-Cookie").First().Split("; ").Single(static part => part.StartsWith("max-age=", StringComparison.Ordinal));
        int.Parse(age["max-age=".Length..], System.Globalization.CultureInfo.InvariantCulture).ShouldBeInRange(1, 600);
        (late.StatusCode, late.Headers.Contains("Set-Cookie")).ShouldBe((HttpStatusCode.Unauthorized, false));
        foreach (var refused in (HttpResponseMessage[])[expired, takenBack])
        {
            refused.StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
            (await refused.Content.ReadAsStringAsync(Token)).ShouldContain("Your token is not accepted any more");
            refused.Headers.GetValues("Set-Cookie").ShouldAllBe(static cookie => cookie.StartsWith(Cookie + "=; expires=Thu, 01 Jan 1970", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task A_page_of_another_site_logs_nobody_in_and_behind_a_proxy_that_ends_TLS_the_cookie_is_secure()
    {
        using var foreign = await PostAsync("ada-s-token", "https://evil.example");
        using var hidden = await PostAsync("ada-s-token", "null");
        using var proxied = await PostAsync("ada-s-token", $"https://{_browser.BaseAddress!.Authority}");

        (foreign.StatusCode, foreign.Headers.Contains("Set-Cookie")).ShouldBe((HttpStatusCode.Forbidden, false));
        (hidden.StatusCode, hidden.Headers.Contains("Set-Cookie")).ShouldBe((HttpStatusCode.Forbidden, false));
        proxied.StatusCode.ShouldBe(HttpStatusCode.SeeOther);
        proxied.Headers.GetValues("Set-Cookie").ShouldAllBe(static cookie => cookie.Contains("; secure"));
    }

    private static string Jwt(TimeSpan lasts)
    {
        var claims = $$"""{"exp":{{(TimeProvider.System.GetUtcNow() + lasts).ToUnixTimeSeconds()}}}""";
        return $"e30.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}.c2ln";
    }

    private async Task<HttpResponseMessage> PostAsync(string token, string? origin = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "docs");
        request.Content = new FormUrlEncodedContent([KeyValuePair.Create("token", token)]);
        if (origin is not null)
        {
            request.Headers.TryAddWithoutValidation("Origin", origin);
        }

        return await _browser.SendAsync(request, Token);
    }

    private async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, string cookie)
    {
        using var answer = await SendAsync(method, path, cookie);
        return answer.StatusCode;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string cookie)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Headers.TryAddWithoutValidation("Cookie", $"{Cookie}={cookie}");
        return await _browser.SendAsync(request, Token);
    }
}
