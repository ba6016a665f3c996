using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Remote;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Remote;

/// <summary>Addresses and connection strings of hubs elsewhere: what each says, and what is refused in words.</summary>
public sealed class TaskHubAddressTests
{
    public static TheoryData<TaskHubAuthentication> Modes => [.. Enum.GetValues<TaskHubAuthentication>()];

    public static TheoryData<TaskHubAuthentication> AzureModes => [.. Enum.GetValues<TaskHubAuthentication>().Where(static mode => mode != TaskHubAuthentication.None)];

    [Theory]
    [InlineData("http://127.0.0.1:4001", "http://127.0.0.1:4001/")]
    [InlineData("127.0.0.1:4001", "http://127.0.0.1:4001/")]
    [InlineData("https://x.durabletask.io", "https://x.durabletask.io/")]
    [InlineData("Endpoint=localhost:8080;TaskHub=default;Authentication=None", "http://localhost:8080/")]
    public void An_address_may_lack_its_scheme(string text, string endpoint) => TaskHubAddress.Parse(text).Endpoint.ToString().ShouldBe(endpoint);

    [Fact]
    public void Every_part_of_a_connection_string_is_read_whatever_its_case()
    {
        var address = TaskHubAddress.Parse(
            "endpoint=https://x.durabletask.io;TASKHUB=orders;Authentication=workloadIdentity;ClientId=c;TenantID=t;TokenFilePath=/f;AdditionallyAllowedTenants=a, b");

        (address.TaskHub, address.Authentication, address.ClientId, address.TenantId, address.TokenFilePath)
            .ShouldBe(("orders", TaskHubAuthentication.WorkloadIdentity, "c", "t", "/f"));
        address.AdditionallyAllowedTenants.ShouldBe(["a", "b"]);
        TaskHubAddress.Parse("Endpoint=http://127.0.0.1:4001;Token=secret").Token.ShouldBe("secret");
    }

    [Theory]
    [InlineData("TaskHub=x", "has no Endpoint")]
    [InlineData("Endpoint=ftp://x;TaskHub=x", "'ftp://x' is not the address of a task hub")]
    [InlineData("http://", "'http://' is not the address of a task hub")]
    [InlineData("Endpoint=https://x;Hub=x", "has 'hub', which is not known; it may have Endpoint, TaskHub, Authentication")]
    [InlineData("Endpoint=https://x;Authentication=Password", "Authentication=Password; allowed are None, DefaultAzure, ManagedIdentity")]
    [InlineData("Endpoint=https://x;Authentication=InteractiveBrowser", "Authentication=InteractiveBrowser; allowed are None, DefaultAzure, ManagedIdentity")]
    [InlineData("Endpoint=https://x;Authentication=7", "Authentication=7; allowed are None, DefaultAzure, ManagedIdentity")]
    [InlineData("Endpoint=https://x;;=;", "cannot be read")]
    public void What_is_wrong_is_named_with_what_is_allowed(string text, string message) =>
        Should.Throw<FormatException>(() => TaskHubAddress.Parse(text)).Message.ShouldContain(message, Case.Insensitive);

    [Theory]
    [MemberData(nameof(Modes))]
    public void Every_mode_has_what_it_proves_a_caller_with(TaskHubAuthentication mode)
    {
        var address = TaskHubAddress.Parse($"Endpoint=https://x.durabletask.io;TaskHub=x;Authentication={mode};ClientID=c;TenantId=t;AdditionallyAllowedTenants=*");

        var credentials = HubCredentials.For(address);

        address.Authentication.ShouldBe(mode);
        (credentials.OfCall is not null).ShouldBe(mode != TaskHubAuthentication.None);
        credentials.FixedToken.ShouldBeNull();
    }

    [Theory]
    [MemberData(nameof(AzureModes))]
    public void A_token_of_Azure_does_not_travel_in_clear_text(TaskHubAuthentication mode) =>
        Should.Throw<FormatException>(() => Connect($"Endpoint=http://x.durabletask.io;Authentication={mode}")).Message
            .ShouldContain($"Authentication={mode} needs an https endpoint");

    // Those that find out without asking the network, or a program that may be here.
    [Theory]
    [InlineData(TaskHubAuthentication.Environment, "EnvironmentCredential authentication unavailable")]
    [InlineData(TaskHubAuthentication.WorkloadIdentity, "WorkloadIdentityCredential authentication unavailable")]
    public async Task An_identity_that_is_not_there_is_told_by_the_call_that_needs_it(TaskHubAuthentication mode, string message)
    {
        using var hub = Connect($"Endpoint=https://127.0.0.1:1;TaskHub=x;Authentication={mode}");

        var refusal = await Should.ThrowAsync<TaskHubException>(hub.GetInstanceAsync(new GetInstanceRequest { InstanceId = "a" }, TestContext.Current.CancellationToken));

        refusal.Message.ShouldContain(message);
    }

    private static RemoteTaskHub Connect(string address) => new(
        new RemoteTaskHubOptions { Address = TaskHubAddress.Parse(address) }, TimeProvider.System, NullLogger<RemoteTaskHub>.Instance);
}
