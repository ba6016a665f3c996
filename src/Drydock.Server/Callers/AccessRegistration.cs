using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Threading.RateLimiting;
using Drydock.Api;
using Drydock.Server.Rest;
using Microsoft.AspNetCore.RateLimiting;

namespace Drydock.Server.Callers;

/// <summary>Registers who may call and how often.</summary>
internal static class AccessRegistration
{
    /// <summary>One machine may stand before many callers (an ingress), so it may send this many times what one caller may.</summary>
    private const int CallersPerAddress = 20;

    public static IServiceCollection AddAccess(this IServiceCollection services, AccessOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<AccessGate>();
        services.AddRateLimiter(limiter => Limit(limiter, options));
        switch (options.Mode)
        {
            case AccessMode.Kubernetes:
                services.AddSingleton<ICallers, KubernetesCallers>();
                break;
            case AccessMode.Oidc:
                services.AddSingleton<ICallers, OidcCallers>();

                // Otherwise the framework looks for a token before the cookie or the form of the documents was read, and keeps to what it found.
                AppContext.SetSwitch("Microsoft.AspNetCore.Authentication.SuppressAutoDefaultScheme", true);
                services.AddAuthentication().AddJwtBearer(jwt =>
                {
                    jwt.Authority = options.Oidc.Authority;
                    jwt.Audience = options.Oidc.Audience;
                    jwt.MapInboundClaims = false;

                    // Validation of the options lets http through on loopback only.
                    jwt.RequireHttpsMetadata = !new Uri(options.Oidc.Authority).IsLoopback;
                    jwt.TokenValidationParameters.ClockSkew = TimeSpan.FromSeconds(30);
                });
                break;
            default:
                services.AddSingleton<ICallers, OpenCallers>();
                break;
        }

        return services;
    }

    /// <summary>Puts the gate before all endpoints that are mapped after it.</summary>
    public static void UseAccess(this WebApplication app)
    {
        var mode = app.Services.GetRequiredService<AccessOptions>().Mode;
        if (mode == AccessMode.None)
        {
            app.Use(LoopbackGuard.InvokeAsync);
        }

        app.UseRouting();
        if (mode != AccessMode.None)
        {
            app.Use(next => context =>
            {
                DocumentLogin.ReadCookie(context);
                return next(context);
            });
        }

        app.UseRateLimiter();
        var gate = app.Services.GetRequiredService<AccessGate>();
        app.Use(next => context => gate.InvokeAsync(context, next));
    }

    private static void Limit(RateLimiterOptions limiter, AccessOptions options)
    {
        // Probes are asked by the kubelet of this very pod: they must not fail because somebody else is noisy.
        var perAddress = PartitionedRateLimiter.Create<HttpContext, string>(context => IsProbe(context)
            ? RateLimitPartition.GetNoLimiter("")
            : Bucket(context.Connection.RemoteIpAddress?.ToString() ?? "", options.RequestsPerSecond * CallersPerAddress));
        var perCaller = PartitionedRateLimiter.Create<HttpContext, string>(context => IsProbe(context) || BearerToken.Of(context.Request) is not { } token
            ? RateLimitPartition.GetNoLimiter("")
            : Bucket(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token))), options.RequestsPerSecond));
        limiter.GlobalLimiter = PartitionedRateLimiter.CreateChained(perAddress, perCaller);
        limiter.OnRejected = static async (rejected, cancellationToken) =>
        {
            var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(1);
            rejected.HttpContext.Response.Headers.RetryAfter = Math.Max(1, Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
            await new ProblemResult(new Problem(
                ProblemTypes.TooManyRequests, "Too many requests", 429, "This caller sends more than its share; try again after the seconds in Retry-After."))
                .ExecuteAsync(rejected.HttpContext);
        };
    }

    private static bool IsProbe(HttpContext context) => context.Request.Path.Value is "/healthz" or "/readyz";

    private static RateLimitPartition<string> Bucket(string key, int perSecond) => RateLimitPartition.GetTokenBucketLimiter(key, _ => new TokenBucketRateLimiterOptions
    {
        TokenLimit = perSecond * 4,
        TokensPerPeriod = perSecond,
        ReplenishmentPeriod = TimeSpan.FromSeconds(1),
        QueueLimit = 0,
        AutoReplenishment = true,
    });
}
