using System.Diagnostics;
using Shouldly;

namespace Drydock.EndToEndTests.Server;

/// <summary>The kubectl that is installed, against a simulated cluster and with nobody's configuration.</summary>
internal static class Kubectl
{
    /// <summary>What it wrote; that it ends well is asserted.</summary>
    /// <param name="server">Where the cluster listens.</param>
    /// <param name="arguments">The command.</param>
    /// <param name="input">What it reads, as with <c>-f -</c>.</param>
    /// <param name="cancellationToken">Ends the wait for it.</param>
    public static async Task<string> RunAsync(Uri server, string[] arguments, string input, CancellationToken cancellationToken)
    {
        using var kubectl = Process.Start(new ProcessStartInfo("kubectl", [.. arguments, "--kubeconfig", "/dev/null", "--server", server.ToString()])
        {
            UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        await kubectl.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
        kubectl.StandardInput.Close();
        var texts = await Task.WhenAll(kubectl.StandardOutput.ReadToEndAsync(cancellationToken), kubectl.StandardError.ReadToEndAsync(cancellationToken));
        await kubectl.WaitForExitAsync(cancellationToken);
        kubectl.ExitCode.ShouldBe(0, texts[1]);
        return texts[0];
    }
}
