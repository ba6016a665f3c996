using System.Security.Claims;
using Drydock.Kubernetes;
using Drydock.Server;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>The gate writes down what was done also if the answer never came, and ends what lasts longer than its caller may look.</summary>
public sealed class AccessGateTests : ICallers
{
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 2, 0, 0, TimeSpan.Zero));
    private readonly List<string> _lines = [];
    private UserIdentity? _user = new("ada", "u-1", []);
    private bool _may = true;
    private Exception? _failure;
    private int _asked;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_fails_after_the_change_is_in_the_audit_log_with_the_status_it_is_answered_with()
    {
        var context = Request();

        await Should.ThrowAsync<ClusterException>(() => Gate().InvokeAsync(context, static _ => throw new ClusterException(ClusterErrorKind.Unreachable, "get", "nodes", "gone")));

        _lines.ShouldHaveSingleItem().ShouldContain("Audit: ada from here asked POST /api/v1/maintenances/m-1/cancel");
        _lines[0].ShouldContain("): 503.");
    }

    [Fact]
    public async Task A_caller_who_hangs_up_leaves_a_line_all_the_same()
    {
        using var hungUp = new CancellationTokenSource();
        var context = Request();
        context.RequestAborted = hungUp.Token;

        await Should.ThrowAsync<OperationCanceledException>(() => Gate().InvokeAsync(context, async _ =>
        {
            await hungUp.CancelAsync();
            hungUp.Token.ThrowIfCancellationRequested();
        }));

        _lines.ShouldHaveSingleItem().ShouldContain("): 499.");
    }

    [Theory]
    [InlineData("token")]
    [InlineData("right")]
    public async Task A_stream_ends_within_a_minute_of_the_end_of_the_token_or_the_right(string what)
    {
        var context = Request();
        context.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(new EndpointAccess { Permission = Permissions.WatchMaintenance }), "events"));
        var revoked = Gate().WhenRevokedAsync(context, Token);
        await PassAsync();
        revoked.IsCompleted.ShouldBeFalse("Nothing has changed.");
        _failure = new ClusterException(ClusterErrorKind.Unreachable, "create", "tokenreviews", "An API server that is away says nothing about the caller.");
        await PassAsync();
        revoked.IsCompleted.ShouldBeFalse();

        _failure = null;
        (_user, _may) = what == "token" ? (null, true) : (_user, false);
        await PassAsync();
        await revoked.WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Token);
    }

    [Fact]
    public async Task A_token_of_a_provider_ends_in_the_middle_of_a_request_that_lasts()
    {
        // ASP.NET Core authenticates a request once and gives the same result ever after.
        var context = Request();
        context.RequestServices = new ServiceCollection().AddSingleton<IAuthenticationService>(new OneTicket(_clock.GetUtcNow().AddMinutes(5))).BuildServiceProvider();
        context.Request.Headers.Authorization = "Bearer a.b.c";
        var callers = new OidcCallers(new LiveOptions(new DrydockOptions(), _clock, NullLogger<LiveOptions>.Instance), _clock);

        (await callers.IdentifyAsync(context, Token))!.Name.ShouldBe("ada");
        _clock.Advance(TimeSpan.FromMinutes(5));
        (await callers.IdentifyAsync(context, Token)).ShouldBeNull();
    }

    Task<UserIdentity?> ICallers.IdentifyAsync(HttpContext context, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _asked);
        return _failure is null ? Task.FromResult(_user) : Task.FromException<UserIdentity?>(_failure);
    }

    Task<bool> ICallers.MayAsync(UserIdentity user, Permission permission, CancellationToken cancellationToken) => Task.FromResult(_may);

    /// <summary>Minutes pass until the gate has looked again.</summary>
    private async Task PassAsync()
    {
        var before = Volatile.Read(ref _asked);
        while (Volatile.Read(ref _asked) == before)
        {
            _clock.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Token);
        }
    }

    private AccessGate Gate() => new(this, _clock, new Lines(_lines));

    private static DefaultHttpContext Request()
    {
        var context = new DefaultHttpContext();
        (context.Request.Method, context.Request.Path) = ("POST", "/api/v1/maintenances/m-1/cancel");
        return context;
    }

    private sealed class Lines(List<string> lines) : ILogger<AccessGate>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Add(formatter(state, exception));
    }

    private sealed class OneTicket(DateTimeOffset expires) : IAuthenticationService
    {
        public Task<AuthenticateResult> AuthenticateAsync(HttpContext context, string? scheme) => Task.FromResult(AuthenticateResult.Success(new AuthenticationTicket(
            new ClaimsPrincipal(new ClaimsIdentity([new Claim("preferred_username", "ada")], scheme)), new AuthenticationProperties { ExpiresUtc = expires }, JwtBearerDefaults.AuthenticationScheme)));

        public Task ChallengeAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => throw new NotSupportedException();

        public Task ForbidAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => throw new NotSupportedException();

        public Task SignInAsync(HttpContext context, string? scheme, ClaimsPrincipal principal, AuthenticationProperties? properties) => throw new NotSupportedException();

        public Task SignOutAsync(HttpContext context, string? scheme, AuthenticationProperties? properties) => throw new NotSupportedException();
    }
}
