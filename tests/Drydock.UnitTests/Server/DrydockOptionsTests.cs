using System.Net;
using Drydock.Server;
using Drydock.Server.Callers;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

public sealed class DrydockOptionsTests
{
    [Fact]
    public void The_defaults_are_valid() => new DrydockOptions().Validate().ShouldBeEmpty();

    [Theory]
    [InlineData("http://127.0.0.1:0")]
    [InlineData("http://localhost:5480")]
    [InlineData("http://[::1]:5480/")]
    public void Loopback_is_served(string url) => new DrydockOptions { Urls = [url] }.Validate().ShouldBeEmpty();

    [Theory]
    [InlineData("http://0.0.0.0:5480", "not a loopback address")]
    [InlineData("https://10.0.0.1:5480", "callers are not asked who they are")]
    [InlineData("http://example.org", "does not begin with the address of a network interface")]
    [InlineData("http://127.0.0.1:5480/drydock", "has a path")]
    [InlineData("5480", "is not an address")]
    public void Nothing_else_is(string url, string sentence) =>
        new DrydockOptions { Urls = [url] }.Validate().ShouldHaveSingleItem().ShouldContain(sentence);

    [Theory]
    [InlineData("http://127.0.0.1:5480")]
    [InlineData("https://0.0.0.0:5480")]
    [InlineData("https://[::]:8443")]
    public void With_authentication_every_address_may_be_served(string url) =>
        new DrydockOptions { Urls = [url], Access = new AccessOptions { Mode = AccessMode.Kubernetes } }.Validate().ShouldBeEmpty();

    [Theory]
    [InlineData("http://0.0.0.0:5480", AccessMode.Kubernetes)]
    [InlineData("http://[::]:5480", AccessMode.Kubernetes)]
    [InlineData("http://10.0.0.1:5480", AccessMode.Oidc)]
    public void Tokens_do_not_go_over_the_network_for_everybody_to_read(string url, AccessMode mode)
    {
        var oidc = new OidcOptions { Authority = "https://login.example.com", Audience = "drydock", Admins = ["root"] };

        new DrydockOptions { Urls = [url], Access = new AccessOptions { Mode = mode, Oidc = oidc } }.Validate().ShouldHaveSingleItem().ShouldContain($"'{url}' is plain http");
    }

    [Fact]
    public void A_provider_without_an_address_an_audience_or_groups_is_refused_for_all_three() =>
        new DrydockOptions { Access = new AccessOptions { Mode = AccessMode.Oidc } }.Validate().Count.ShouldBe(3);

    [Theory]
    [InlineData("Endpoint=https://x.durabletask.io;TaskHub=t;Authentication=Guess", "Authentication=Guess; allowed are")]
    [InlineData("Endpoint=https://x.durabletask.io;Hub=t", "'hub', which is not known; it may have Endpoint, TaskHub")]
    [InlineData("drydock.db", "is not a connection string")]
    [InlineData("Data Source=", "names no file")]
    [InlineData("Data Source=a.db;Mode=Memory", "'mode' is not known")]
    [InlineData("", "names no file")]
    public void A_hub_that_this_version_does_not_know_is_refused(string hub, string sentence) =>
        new DrydockOptions { Hub = hub }.Validate().ShouldHaveSingleItem().ShouldContain(sentence);

    [Fact]
    public void A_hub_elsewhere_says_itself_what_it_keeps_and_whom_it_serves()
    {
        var options = new DrydockOptions { Hub = "Endpoint=https://x.durabletask.io;TaskHub=t;Authentication=DefaultAzure" };

        options.Validate().ShouldBeEmpty();
        (options with { ConfigureHub = static _ => { } }).Validate().ShouldHaveSingleItem().ShouldContain("--retain");
        (options with { HubListen = new IPEndPoint(IPAddress.Loopback, 4001) }).Validate().ShouldHaveSingleItem().ShouldStartWith("hub-listen: the task hub is in another process");
    }

    [Fact]
    public void All_errors_are_told_at_once()
    {
        var options = new DrydockOptions { Hub = "Host=db", Urls = ["http://0.0.0.0:1", "ftp://x"] };

        Should.Throw<DrydockOptionsException>(() => DrydockHost.Build(options)).Errors.Count.ShouldBe(3);
    }
}
