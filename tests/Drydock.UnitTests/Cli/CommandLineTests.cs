using Drydock.Cli;
using Drydock.Cli.CommandLine;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Cli;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("maintian w", "drydock: Unrecognized command or argument 'maintian'. Did you mean maintain?")]
    [InlineData("plan w --tiemout 5m", "drydock: Unrecognized command or argument '--tiemout'. Did you mean --timeout?")]
    [InlineData("plan w --timeout 5x", "drydock: '5x' is not a duration for --timeout; give a duration such as 90s, 10m, 1h30m, 2d or PT10M.")]
    [InlineData("start w --vm-stuck boom", "drydock: 'boom' is not allowed for --vm-stuck; give wait or shutdown or fail or skip.")]
    [InlineData("extend m-1", "drydock: Option '--by' is required.")]
    [InlineData("extend m-1 --by soon", "drydock: 'soon' is not a duration for --by; give a duration such as 90s, 10m, 1h30m, 2d or PT10M.")]
    [InlineData("list --limit x", "drydock: Cannot parse argument 'x' for option '--limit' as a number.")]
    [InlineData("list --server ftp://x", "drydock: 'ftp://x' is not an address of a server; give one such as http://127.0.0.1:5480.")]
    [InlineData("demo --speed 1000", "drydock: '1000' is not allowed for --speed; give a number from 0.1 to 100.")]
    [InlineData("simulate --listen 0.0.0.0:1", "drydock: '0.0.0.0:1' is not allowed for --listen; give 127.0.0.1:PORT (there is no login, so only this machine may connect).")]
    [InlineData("hub --retain done=1d", "drydock: 'done=1d' is not allowed for --retain; give completed, failed, terminated or all, =, and a duration such as 90s, 10m, 1h30m, 2d or PT10M.")]
    [InlineData("serve --large-payload-threshold 1000001", "drydock: '1000001' is not allowed for --large-payload-threshold; give 0 to 1000000.")]
    [InlineData("hub --large-payload-threshold many", "drydock: 'many' is not allowed for --large-payload-threshold; give 0 to 1000000.")]
    [InlineData("serve --max-deliveries -1", "drydock: '-1' is not allowed for --max-deliveries; give 0 to 1000.")]
    [InlineData("serve --kubeconfig a --in-cluster", "drydock: Give one of --kubeconfig, --in-cluster and --simulate.")]
    [InlineData("", "drydock: Required command was not provided.")]
    public async Task A_wrong_command_line_is_answered_in_one_sentence_and_where_to_read_on(string line, string sentence)
    {
        var (code, output, error) = await RunAsync(line);

        code.ShouldBe(2);
        output.ShouldBeEmpty();
        error.Split('\n')[0].ShouldBe(sentence);
        error.Split('\n')[1].ShouldStartWith("drydock: See 'drydock");
    }

    [Theory]
    [InlineData("demo")]
    [InlineData("plan")]
    [InlineData("maintain")]
    [InlineData("restore")]
    [InlineData("simulate")]
    [InlineData("serve")]
    [InlineData("start")]
    [InlineData("list")]
    [InlineData("show")]
    [InlineData("watch")]
    [InlineData("complete")]
    [InlineData("suspend")]
    [InlineData("resume")]
    [InlineData("extend")]
    [InlineData("approve")]
    [InlineData("window next")]
    [InlineData("cancel")]
    [InlineData("history")]
    [InlineData("rollout start")]
    [InlineData("window create")]
    public async Task The_help_of_every_verb_ends_with_examples(string verb)
    {
        var (code, output, _) = await RunAsync($"{verb} --help");

        code.ShouldBe(0);
        output.ShouldContain("Examples:\n  drydock ");
    }

    [Fact]
    public async Task The_help_of_the_program_names_its_exit_codes() =>
        (await RunAsync("--help")).Output.ShouldContain("130 interrupted");

    [Fact]
    public async Task Version_prints_one_JSON_document() =>
        (await RunAsync("version -o json")).Output.ShouldStartWith("{\n  \"version\": \"0.1.0");

    private static async Task<(int Code, string Output, string Error)> RunAsync(string line)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(output, error, new FakeTimeProvider(), _ => null, isInteractive: false);
        var code = await Program.RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries), terminal, CancellationToken.None);
        return (code, output.ToString(), error.ToString());
    }
}
