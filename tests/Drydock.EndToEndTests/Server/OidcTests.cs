using System.Net;
using System.Net.Http.Headers;
using Drydock.Api;
using Drydock.Server.Callers;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Callers with tokens of an OpenID Connect provider, against the real server and a provider on loopback.</summary>
public sealed class OidcTests : IAsyncLifetime
{
    private Issuer _issuer = null!;
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    public async ValueTask InitializeAsync()
    {
        _issuer = await Issuer.OpenAsync(Token);
        _harbour = await Harbour.OpenAsync(Token, configure: options => options with
        {
            Access = new AccessOptions
            {
                Mode = AccessMode.Oidc,
                Oidc = new OidcOptions { Authority = _issuer.Authority, Audience = "drydock", Viewers = ["staff"], Operators = ["ops"], Admins = ["root"] },
            },
        });
    }

    public async ValueTask DisposeAsync()
    {
        await _harbour.DisposeAsync();
        await _issuer.DisposeAsync();
    }

    [Fact]
    public async Task Groups_give_the_role_and_who_it_was_is_recorded()
    {
        var request = new MaintenanceCreate { Node = "node-1", Action = "Hold" };
        (await As("eve", "staff").ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldBeEmpty();
        await RefusedAsync(() => As("eve", "staff").CreateMaintenanceAsync(request, null, Token), HttpStatusCode.Forbidden);
        await RefusedAsync(() => As("mallory", "strangers").ListMaintenancesAsync(null, onlyRunning: false, null, Token), HttpStatusCode.Forbidden);

        var started = await As("ada", "staff", "ops").CreateMaintenanceAsync(request, null, Token);
        started.RequestedBy.ShouldBe("ada");
        await As("ada", "ops").CancelMaintenanceAsync(started.Id, null, Token);

        var force = request with { Node = "node-2", Drain = new DrainSettings { OnTimeout = "Force" } };
        await RefusedAsync(() => As("ada", "ops").CreateMaintenanceAsync(force, null, Token), HttpStatusCode.Forbidden);
        (await As("zoe", "root").PlanAsync(force, Token)).Node.ShouldBe("node-2");
    }

    [Fact]
    public async Task A_browser_reads_the_documents_with_a_token_of_the_provider()
    {
        using var browser = new HttpClient(new HttpClientHandler { AllowAutoRedirect = false }) { BaseAddress = _harbour.Http.BaseAddress };
        using var form = new FormUrlEncodedContent([KeyValuePair.Create("token", _issuer.Token("eve", ["staff"]))]);
        using var entered = await browser.PostAsync(new Uri("docs", UriKind.Relative), form, Token);
        entered.StatusCode.ShouldBe(HttpStatusCode.SeeOther, await entered.Content.ReadAsStringAsync(Token));

        // The handler keeps the cookie, as a browser does.
        (await browser.GetAsync(new Uri("openapi/v1.json", UriKind.Relative), Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await browser.GetAsync(new Uri("api/v1/nodes", UriKind.Relative), Token)).StatusCode.ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task A_token_that_is_old_forged_or_for_somebody_else_is_no_token()
    {
        string[] bad =
        [
            _issuer.Token("ada", ["root"], lasts: -120),
            _issuer.Token("ada", ["root"], audience: "another-service"),
            _issuer.Token("ada", ["root"], issuer: "https://accounts.example.com"),
            _issuer.Token("ada", ["root"], isForged: true),
            _issuer.Unsigned("ada", ["root"]),
            "no.token.at-all",
        ];
        foreach (var token in bad)
        {
            await RefusedAsync(() => With(token).ListMaintenancesAsync(null, onlyRunning: false, null, Token), HttpStatusCode.Unauthorized);
        }

        (await _harbour.Http.GetAsync("healthz", Token)).StatusCode.ShouldBe(HttpStatusCode.OK);
        (await With(_issuer.Token("ada", ["root"])).ListMaintenancesAsync(null, onlyRunning: false, null, Token)).Items.ShouldBeEmpty();
    }

    private DrydockApiClient As(string user, params string[] groups) => With(_issuer.Token(user, groups));

    private DrydockApiClient With(string token)
    {
        var http = new HttpClient { BaseAddress = _harbour.Http.BaseAddress, Timeout = Timeout.InfiniteTimeSpan };
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return new DrydockApiClient(http);
    }

    private static async Task RefusedAsync(Func<Task> call, HttpStatusCode status) =>
        (await Should.ThrowAsync<ApiProblemException>(call)).Problem.Status.ShouldBe((int)status);
}
