using System.Diagnostics;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Cli;

/// <summary>The program as shells and kubectl see it.</summary>
public sealed class ShellTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("drydock-shell-");

    public ShellTests()
    {
        foreach (var name in (string[])["drydock", "kubectl-drydock"])
        {
            var file = Path.Combine(_folder.FullName, name);
            File.WriteAllText(file, $"#!/bin/sh\nexec dotnet '{Path.Combine(AppContext.BaseDirectory, "drydock.dll")}' \"$@\"\n");
            if (!OperatingSystem.IsWindows())
            {
                File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            }
        }
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Kubectl_runs_it_as_a_plugin()
    {
        var (code, output) = await RunAsync("kubectl drydock version");

        code.ShouldBe(0, output);
        output.ShouldContain("0.1.0");
    }

    [Theory]
    [InlineData("drydock wat", "watch")]
    [InlineData("drydock serve --acc", "--access")]
    public async Task Bash_completes_verbs_and_options(string line, string completed)
    {
        var (code, output) = await RunAsync(
            $"source <(drydock completion bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDS=($COMP_LINE); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _drydock; echo \"${{COMPREPLY[@]}}\"");

        code.ShouldBe(0, output);
        output.Trim().ShouldBe(completed);
    }

    [Theory]
    [InlineData("drydock wat", "watch")]
    [InlineData("drydock serve --acc", "--access")]
    public async Task Zsh_completes_verbs_and_options(string line, string completed)
    {
        // What the line editor would set, and a compadd that says what it is given.
        var script = $"compdef() {{ :; }}; compadd() {{ shift; print -l -- \"$@\"; }}; source <(drydock completion zsh); BUFFER='{line}'; CURSOR={line.Length}; _drydock";
        var (code, output) = await RunAsync($"zsh -f -c {Quoted(script)}");

        code.ShouldBe(0, output);
        output.Trim().ShouldBe(completed);
    }

    [Theory]
    [InlineData("drydock wat", "watch")]
    [InlineData("drydock serve --acc", "--access")]
    public async Task Fish_completes_verbs_and_options(string line, string completed)
    {
        var (code, output) = await RunAsync($"HOME={_folder.FullName} fish --no-config -c {Quoted($"drydock completion fish | source; complete -C '{line}'")}");

        code.ShouldBe(0, output);
        output.Trim().ShouldBe(completed);
    }

    [Fact]
    public async Task Kubectl_is_told_what_follows_the_name_of_the_plugin()
    {
        var (code, output) = await RunAsync("drydock completion kubectl > complete && sh ./complete serve --acc");

        code.ShouldBe(0, output);
        output.Trim().Split('\n').ShouldBe(["--access", ":4"]);
    }

    [Theory]
    [InlineData("bash")]
    [InlineData("zsh")]
    [InlineData("fish")]
    [InlineData("kubectl")]
    public async Task There_is_code_for_each_shell(string shell) =>
        (await RunAsync($"drydock completion {shell}")).Output.ShouldContain("[suggest:");

    private static string Quoted(string script) => "'" + script.Replace("'", "'\\''", StringComparison.Ordinal) + "'";

    private async Task<(int Code, string Output)> RunAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", script]) { WorkingDirectory = _folder.FullName, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["PATH"] = $"{_folder.FullName}:{Environment.GetEnvironmentVariable("PATH")}";
        using var process = Process.Start(start)!;
        var texts = await Task.WhenAll(
            process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, string.Concat(texts));
    }
}
