using Drydock.Server.Admission;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>The certificate of the webhook, whatever somebody wrote into its Secret.</summary>
public sealed class CertificateMakerTests
{
    private const string Name = "drydock.drydock.svc";
    private static readonly DateTimeOffset Now = new(2026, 3, 1, 2, 0, 0, TimeSpan.Zero);

    [Fact]
    public void One_that_is_good_is_kept()
    {
        var set = CertificateMaker.Renew(null, Name, Now);

        CertificateMaker.Renew(set, Name, Now.AddDays(1)).ShouldBe(set);
        set.Load().MatchesHostname(Name).ShouldBeTrue();
    }

    [Theory]
    [InlineData("certificate")]
    [InlineData("key")]
    [InlineData("another key")]
    [InlineData("authority")]
    [InlineData("authority key")]
    [InlineData("all")]
    public void One_that_was_garbled_is_made_anew(string what)
    {
        var (set, other) = (CertificateMaker.Renew(null, Name, Now), CertificateMaker.Renew(null, Name, Now));
        var garbled = what switch
        {
            "certificate" => set with { Certificate = "nothing" },
            "key" => set with { Key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----" },
            "another key" => set with { Key = other.Key },
            "authority" => set with { Authority = "nothing", Certificate = "nothing" },
            "authority key" => set with { AuthorityKey = "nothing", Certificate = "nothing" },
            _ => new CertificateSet("a", "b", "c", "d"),
        };

        var renewed = CertificateMaker.Renew(garbled, Name, Now);

        renewed.ShouldNotBe(garbled);
        renewed.Load().MatchesHostname(Name).ShouldBeTrue();
        renewed.Authority.ShouldNotContain("nothing");
    }
}
