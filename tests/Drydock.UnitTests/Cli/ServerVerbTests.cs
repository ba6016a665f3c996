using System.Text.Json;
using Drydock.Cli;
using Drydock.Cli.CommandLine;
using Drydock.Maintenance;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

/// <summary>Verbs that ask a server, against the real host over HTTP; behind its doors a dictionary stands for the engine.</summary>
public sealed class ServerVerbTests : IAsyncLifetime
{
    private RestHost _host = null!;

    public async ValueTask InitializeAsync() => _host = await RestHost.StartAsync(["worker-a"]);

    public ValueTask DisposeAsync() => _host.DisposeAsync();

    [Fact]
    public async Task The_coming_windows_are_shown_in_universal_time_of_one_window_or_of_all()
    {
        await DoneAsync("window create move --once 2126-03-01T22:00:00+01:00/2126-03-02T04:00:00+01:00 --once 2126-04-01T22:00:00Z/2126-04-02T01:30:00Z --nodes worker-a");
        await DoneAsync("window create past --once 2026-01-01T22:00:00Z/2026-01-02T04:00:00Z --nodes worker-a");
        await DoneAsync("window create nightly --cron 0_2_*_*_* --duration 3h --time-zone Europe/Berlin --nodes worker-a");

        var one = await DoneAsync("window next move");
        var all = await DoneAsync("window next -n 1");
        using var json = JsonDocument.Parse(await DoneAsync("window next nightly -n 7 -o json"));

        one.ShouldContain("  2126-03-01 21:00Z to 2126-03-02 03:00Z\n  2126-04-01 22:00Z to 2126-04-02 01:30Z\n");
        all.ShouldContain("  2126-03-01 21:00Z to 2126-03-02 03:00Z\n");
        all.ShouldNotContain("2126-04-01");
        all.ShouldContain("  never\n");
        all.ShouldContain("nightly");
        var openings = json.RootElement[0].GetProperty("next").EnumerateArray().Select(static opening => opening.GetProperty("from").GetDateTimeOffset()).ToList();
        openings.Count.ShouldBe(7);
        openings.ShouldAllBe(static opening => opening.UtcDateTime.Hour == 0 || opening.UtcDateTime.Hour == 1);
        openings.ShouldBeInOrder();
    }

    [Fact]
    public async Task A_window_that_is_not_there_is_answered_in_a_sentence()
    {
        var (code, _, error) = await RunAsync("window next nightly");

        code.ShouldBe(2);
        error.ShouldContain("There is no window 'nightly'.");
    }

    [Fact]
    public async Task A_maintenance_is_suspended_resumed_and_extended_and_show_says_so()
    {
        var deadline = new DateTimeOffset(2126, 3, 1, 3, 0, 0, TimeSpan.Zero);
        var id = JsonDocument.Parse(await DoneAsync("start worker-a -o json")).RootElement.GetProperty("id").GetString()!;
        _host.Client.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "Evicting pods.") { Deadline = deadline });

        (await DoneAsync($"suspend {id} --reason storage --idempotency-key k1")).ShouldContain($"Maintenance {id} begins nothing new. Let it go on with 'drydock resume {id}'");
        (await DoneAsync($"resume {id}")).ShouldContain($"Maintenance {id} goes on.");
        (await DoneAsync($"extend {id} --by 30m --reason slow")).ShouldContain($"Maintenance {id} has 30m more for its step Drain.");
        _host.Client.Raised.Select(static raised => (Steer)raised.Payload!).Select(static steer => (steer.Kind, steer.Reason, steer.To)).ShouldBe(
            [(SteerKind.Suspend, "storage", null), (SteerKind.Resume, null, null), (SteerKind.Extend, "slow", deadline.AddMinutes(30))]);

        _host.Client.Set(id, new MaintenanceStatus("worker-a", MaintenanceStep.Drain, "Evicting pods.") { Suspension = new Suspension("ann", "storage", deadline) });
        (await DoneAsync($"show {id}")).ShouldContain("Suspended: Suspended by ann since 2126-03-01 03:00:00Z: storage. Nothing new is begun and no deadline passes until it is resumed.");
        (await DoneAsync("list")).ShouldContain("Suspended");
        var (code, _, error) = await RunAsync($"extend {id} --by 30m");
        (code, error).ShouldSatisfyAllConditions(
            answer => answer.code.ShouldBe(3), answer => answer.error.ShouldContain("has no deadline now that could be extended"));
    }

    private async Task<string> DoneAsync(string line)
    {
        var (code, output, error) = await RunAsync(line);
        code.ShouldBe(0, error);
        return output;
    }

    // A blank within an argument is written as an underscore.
    private async Task<(int Code, string Output, string Error)> RunAsync(string line)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(output, error, new FakeTimeProvider(), _ => null, isInteractive: false);
        var arguments = line.Split(' ').Select(static word => word.Replace('_', ' ')).Concat(["--server", _host.Address.ToString()]);
        var code = await Program.RunAsync([.. arguments], terminal, TestContext.Current.CancellationToken);
        return (code, output.ToString().ReplaceLineEndings("\n"), error.ToString());
    }
}
