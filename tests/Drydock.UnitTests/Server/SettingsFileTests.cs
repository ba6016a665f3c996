using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;
using Drydock.Server;
using Drydock.Server.Callers;
using Drydock.Server.Telemetry;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

public sealed class SettingsFileTests : IDisposable
{
    private static readonly Dictionary<string, string> Nothing = [];
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void The_environment_goes_over_the_file_and_the_file_over_the_defaults()
    {
        Write("access: {mode: Kubernetes, audiences: [a, b], requestsPerSecond: 7}\nlog: {format: Json}\n");

        var read = SettingsFile.Read(
            _file, new Dictionary<string, string> { ["DRYDOCK__ACCESS__REQUESTSPERSECOND"] = "9", ["DRYDOCK__URLS__0"] = "https://0.0.0.0:8443", ["OTHER"] = "x" }, new DrydockOptions());

        (read.Access.Mode, read.Access.RequestsPerSecond, read.LogFormat).ShouldBe((AccessMode.Kubernetes, 9, LogFormat.Json));
        read.Access.Audiences.ShouldBe(["a", "b"]);
        read.Urls.ShouldBe(["https://0.0.0.0:8443"]);
    }

    [Fact]
    public void What_the_hub_does_not_do_for_ever_is_read_and_reaches_it_under_what_is_said_of_it_besides()
    {
        Write("hubLimits: {maxDeliveries: 3, largePayloadThreshold: 500, retain: {completed: 30d, failed: 90d}}\n");

        var read = SettingsFile.Read(_file, new Dictionary<string, string> { ["DRYDOCK__HUBLIMITS__RETAIN__FAILED"] = "60d" }, new DrydockOptions());
        var hub = new SqliteTaskHubOptions();
        (read with { ConfigureHub = static one => one.MaximumDeliveries = 5 }).HubSettings(hub);

        (read.HubLimits.MaxDeliveries, hub.MaximumDeliveries).ShouldBe((3, 5));
        hub.LargePayloadThreshold.ShouldBe(500);
        new HubLimits().LargePayloadThreshold.ShouldBe(new SqliteTaskHubOptions().LargePayloadThreshold);
        hub.Retention.ShouldBe(new Dictionary<OrchestrationStatus, TimeSpan>
        {
            [OrchestrationStatus.Completed] = TimeSpan.FromDays(30), [OrchestrationStatus.Failed] = TimeSpan.FromDays(60),
        }, ignoreOrder: true);
    }

    [Fact]
    public void Everything_that_is_wrong_is_told_at_once_with_field_value_and_what_is_allowed()
    {
        Write("acces: {}\naccess: {requestsPerSecond: many, audiences: x}\nurls: 5\n");

        var errors = Should.Throw<DrydockOptionsException>(() => SettingsFile.Read(_file, Nothing, new DrydockOptions())).Errors;

        errors.Count.ShouldBe(4);
        errors.ShouldContain(static error => error.StartsWith("acces:") && error.Contains("hub, urls, operator"));
        errors.ShouldContain(static error => error.StartsWith("access.requestsPerSecond: '\"many\"'") && error.Contains("a whole number"));
    }

    [Theory]
    [InlineData("access: {mode: Sometimes}", "access.mode: 'Sometimes' is not allowed; allowed: None, Kubernetes, Oidc.")]
    [InlineData("urls: [\"http://0.0.0.0:1\"]", "not a loopback address")]
    [InlineData("tls: {certificateFile: /nowhere.crt}", "give both certificateFile and keyFile")]
    [InlineData("hubLimits: {maxDeliveries: 1001}", "hubLimits.maxDeliveries: '1001' is not allowed; allowed: 0 to 1000.")]
    [InlineData("hubLimits: {largePayloadThreshold: 1000001}", "hubLimits.largePayloadThreshold: '1000001' is not allowed; allowed: 0 to 1000000.")]
    [InlineData("hubLimits: {largePayloadThreshold: -1}", "hubLimits.largePayloadThreshold: '-1' is not allowed; allowed: 0 to 1000000.")]
    [InlineData("hubLimits: {retain: {failed: soon}}", "hubLimits.retain.failed: 'soon' is not allowed; allowed: a duration")]
    [InlineData("hubLimits: {retain: {lost: 1d}}", "hubLimits.retain.lost")]
    [InlineData("a: [", "line 2")]
    [InlineData("- a", "is not one mapping")]
    public void A_wrong_file_is_refused_in_a_sentence(string yaml, string sentence)
    {
        Write(yaml);

        Should.Throw<DrydockOptionsException>(() => SettingsFile.Read(_file, Nothing, new DrydockOptions())).Message.ShouldContain(sentence);
    }

    [Fact]
    public void A_bad_reload_keeps_the_last_good_configuration_and_a_good_one_is_taken_up()
    {
        Write("access: {mode: Kubernetes, audiences: [one]}");
        DrydockOptions Read() => SettingsFile.Read(_file, Nothing, new DrydockOptions());
        using var live = new LiveOptions(Read() with { Reload = new OptionsSource(_file, Read) }, TimeProvider.System, NullLogger<LiveOptions>.Instance);
        live.Look();

        Write("access: {mode: Kubernetes, audiences: 5, nonsense: 1}");
        live.Look();
        live.Access.Audiences.ShouldBe(["one"]);

        Write("access: {mode: Kubernetes, audiences: [two]}");
        live.Look();
        live.Access.Audiences.ShouldBe(["two"]);
    }

    private void Write(string yaml) => File.WriteAllText(_file, yaml);
}
