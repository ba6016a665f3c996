using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Drydock.EndToEndTests.Server;

/// <summary>An OpenID Connect provider on loopback, as far as one that checks tokens needs it: its configuration and its keys.</summary>
internal sealed class Issuer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly RsaSecurityKey _key = new(RSA.Create(2048)) { KeyId = "one" };

    private Issuer(WebApplication app) => _app = app;

    /// <summary>Its address.</summary>
    public string Authority => _app.Urls.Single();

    public static async Task<Issuer> OpenAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var issuer = new Issuer(builder.Build());
        issuer._app.MapGet("/.well-known/openid-configuration", () => Results.Text(
            $$"""{"issuer":"{{issuer.Authority}}","jwks_uri":"{{issuer.Authority}}/keys"}""", "application/json"));
        issuer._app.MapGet("/keys", () =>
        {
            var key = issuer._key.Rsa.ExportParameters(includePrivateParameters: false);
            return Results.Text(
                $$"""{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"one","n":"{{Base64UrlEncoder.Encode(key.Modulus)}}","e":"{{Base64UrlEncoder.Encode(key.Exponent)}}"}]}""", "application/json");
        });
        await issuer._app.StartAsync(cancellationToken);
        return issuer;
    }

    /// <summary>A token of this provider, or one that claims to be.</summary>
    /// <param name="user">Who it is for.</param>
    /// <param name="groups">His groups.</param>
    /// <param name="audience">Whom it is for.</param>
    /// <param name="lasts">Until when from now; negative: it has ended.</param>
    /// <param name="issuer">Who says so; null: this provider.</param>
    /// <param name="isForged">Whether it is signed with another key of the same name.</param>
    public string Token(string user, string[] groups, string audience = "drydock", double lasts = 300, string? issuer = null, bool isForged = false)
    {
        using var other = RSA.Create(2048);
        var key = isForged ? new RsaSecurityKey(other) { KeyId = "one" } : _key;
        var now = TimeProvider.System.GetUtcNow().UtcDateTime;
        return new JsonWebTokenHandler().CreateToken(new SecurityTokenDescriptor
        {
            Issuer = issuer ?? Authority,
            Audience = audience,
            NotBefore = now.AddHours(-1),
            IssuedAt = now.AddHours(-1),
            Expires = now.AddSeconds(lasts),
            Claims = new Dictionary<string, object> { ["sub"] = "id-" + user, ["preferred_username"] = user, ["groups"] = groups },
            SigningCredentials = new SigningCredentials(key, SecurityAlgorithms.RsaSha256) { CryptoProviderFactory = new CryptoProviderFactory { CacheSignatureProviders = false } },
        });
    }

    /// <summary>The same claims without a signature.</summary>
    public string Unsigned(string user, string[] groups)
    {
        var signed = Token(user, groups).Split('.');
        return $"{Base64UrlEncoder.Encode("""{"alg":"none","typ":"JWT"}""")}.{signed[1]}.";
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _key.Rsa.Dispose();
    }
}
