using System.Buffers.Text;
using System.Text;
using Drydock.Kubernetes;
using Drydock.Server;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>How long what the API server said of a caller is believed.</summary>
public sealed class KubernetesCallersTests
{
    private readonly FakeTimeProvider _clock = new();
    private readonly Reviews _reviews = new();
    private readonly KubernetesCallers _callers;

    public KubernetesCallersTests() => _callers = new KubernetesCallers(
        _reviews, new LiveOptions(new DrydockOptions(), _clock, NullLogger<LiveOptions>.Instance), _clock);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_token_is_believed_for_a_minute_and_then_asked_about_again()
    {
        (await IdentifyAsync("opaque")).ShouldNotBeNull();
        _clock.Advance(TimeSpan.FromSeconds(59));
        _reviews.Expired.Add("opaque");

        (await IdentifyAsync("opaque")).ShouldNotBeNull();
        _reviews.Asked.ShouldBe(1);
        _clock.Advance(TimeSpan.FromSeconds(1));

        (await IdentifyAsync("opaque")).ShouldBeNull("The cluster says that it has expired.");
        _reviews.Asked.ShouldBe(2);
    }

    [Fact]
    public async Task A_token_is_never_believed_past_its_own_end()
    {
        var token = Jwt(_clock.GetUtcNow().AddSeconds(30));

        (await IdentifyAsync(token)).ShouldNotBeNull();
        _clock.Advance(TimeSpan.FromSeconds(29));
        (await IdentifyAsync(token)).ShouldNotBeNull();
        _clock.Advance(TimeSpan.FromSeconds(1));

        (await IdentifyAsync(token)).ShouldBeNull();
        _reviews.Asked.ShouldBe(1, "Neither at the second time nor when it had ended.");
    }

    [Fact]
    public async Task A_token_that_is_long_good_is_asked_about_every_minute_all_the_same()
    {
        var token = Jwt(_clock.GetUtcNow().AddHours(1));
        await IdentifyAsync(token);
        _reviews.Expired.Add(token);
        _clock.Advance(TimeSpan.FromMinutes(1));

        (await IdentifyAsync(token)).ShouldBeNull();
    }

    [Fact]
    public async Task A_right_that_is_taken_away_is_gone_after_ten_seconds_and_one_that_is_given_is_there_at_once()
    {
        (await MayAsync()).ShouldBeFalse();
        _reviews.IsGranted = true;
        (await MayAsync()).ShouldBeTrue("A refusal is not kept.");
        _reviews.IsGranted = false;
        _clock.Advance(TimeSpan.FromSeconds(9));
        (await MayAsync()).ShouldBeTrue("What was granted is believed for ten seconds.");
        _clock.Advance(TimeSpan.FromSeconds(1));

        (await MayAsync()).ShouldBeFalse();
    }

    private Task<UserIdentity?> IdentifyAsync(string token)
    {
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = $"Bearer {token}";
        return _callers.IdentifyAsync(context, Token);
    }

    private Task<bool> MayAsync() => _callers.MayAsync(new UserIdentity("robot", null, []), Permissions.ListMaintenances, Token);

    private static string Jwt(DateTimeOffset end) =>
        $"e30.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes($$"""{"exp":{{end.ToUnixTimeSeconds()}}}"""))}.c2ln";

    /// <summary>An API server that knows every token that has not expired.</summary>
    private sealed class Reviews : IAccessReviews
    {
        public HashSet<string> Expired { get; } = [];

        public bool IsGranted { get; set; }

        public int Asked { get; private set; }

        public Task<UserIdentity?> ReviewTokenAsync(string token, IReadOnlyList<string> audiences, CancellationToken cancellationToken)
        {
            Asked++;
            return Task.FromResult(Expired.Contains(token) ? null : new UserIdentity("robot", null, []));
        }

        public Task<bool> IsAllowedAsync(UserIdentity user, AccessRule rule, CancellationToken cancellationToken) => Task.FromResult(IsGranted);

        public Task<bool> IsAllowedPathAsync(UserIdentity user, string verb, string path, CancellationToken cancellationToken) => Task.FromResult(IsGranted);
    }
}
