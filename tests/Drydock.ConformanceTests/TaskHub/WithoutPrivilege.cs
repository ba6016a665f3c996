using System.Diagnostics;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>Nothing is read-only for root. A test that needs it to be runs itself again as a root that may only do what the files allow.</summary>
internal static class WithoutPrivilege
{
    private const string ChildVariable = "DRYDOCK_TEST_WITHOUT_PRIVILEGE";

    /// <summary>Whether this process may write a file that is read-only.</summary>
    public static bool IsNeededFor(string readOnlyFile)
    {
        try
        {
            File.OpenWrite(readOnlyFile).Dispose();
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }

        Environment.GetEnvironmentVariable(ChildVariable).ShouldBeNull("The child can still write a file that is read-only.");
        return true;
    }

    /// <summary>Runs one test of this assembly in a child; it passed there when this returns.</summary>
    public static async Task RunAsync(string method)
    {
        string[] command =
        [
            "--bounding-set=-dac_override,-dac_read_search", "dotnet", "exec", typeof(WithoutPrivilege).Assembly.Location, "-noColor",
            "-method", method,
        ];
        using var child = Process.Start(new ProcessStartInfo("setpriv", command)
        {
            Environment = { [ChildVariable] = "1" },
            RedirectStandardOutput = true,
            UseShellExecute = false,
        })!;
        var output = await child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await child.WaitForExitAsync(TestContext.Current.CancellationToken);

        child.ExitCode.ShouldBe(0, output);
        output.ShouldContain("Total: 1, Errors: 0, Failed: 0, Skipped: 0");
    }
}
