using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>
/// What the containers of a pod that ends by itself do, recognised from their command: nothing is really run. <c>sleep N</c> takes that
/// long, <c>exit N</c> and <c>false</c> fail, <c>reboot</c> (also <c>systemctl reboot</c>, <c>nsenter … reboot</c>) reboots the machine if the
/// pod is privileged or in the host's PID namespace. Everything else ends well after a second. Annotations overrule the command.
/// </summary>
/// <param name="Takes">How long it runs; null: for ever.</param>
/// <param name="ExitCode">How it ends.</param>
/// <param name="Reboots">Whether it reboots its machine.</param>
/// <param name="DiesWithMachine">Whether it still runs (a <c>sleep</c> after the <c>reboot</c>) when the machine goes down.</param>
internal sealed record SimulatedProgram(TimeSpan? Takes, int ExitCode, bool Reboots = false, bool DiesWithMachine = false)
{
    private const string BootIdFile = "/proc/sys/kernel/random/boot_id";
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(1);
    private static readonly SimulatedProgram Endless = new(null, 0);

    /// <summary>What a pod of this command and these annotations does.</summary>
    /// <param name="pod">The pod.</param>
    /// <param name="bootId">The boot ID of its machine: a script that compares it with another one does nothing.</param>
    /// <param name="failedBefore">How many pods of its Job failed before it.</param>
    public static SimulatedProgram Of(JsonObject pod, string bootId, int failedBefore)
    {
        var program = ByCommand(pod, bootId);
        var fails = Number(pod.Annotation("fake-kubelet/failing-pods")) ?? 0;
        return program with
        {
            Takes = pod.Steered("complete-after") ?? program.Takes,
            ExitCode = failedBefore < fails ? 1 : Number(pod.Annotation("fake-kubelet/exit-code")) ?? program.ExitCode,
        };
    }

    private static SimulatedProgram ByCommand(JsonObject pod, string bootId)
    {
        var words = Words(pod);
        var reboot = words.LastIndexOf("reboot");
        if (reboot >= 0)
        {
            var otherBoot = words.Exists(word => word.Contains(BootIdFile, StringComparison.Ordinal)) && !words.Contains(bootId);
            return otherBoot ? new(Short, 0)
                : IsPrivileged(pod) ? new(Short, 0, Reboots: true, DiesWithMachine: words.IndexOf("sleep", reboot) > 0)
                : new(Short, 1);
        }

        if (words.Count == 0 || pod.Controller().Text("kind") != "Job")
        {
            return Endless;
        }

        var sleeps = After(words, "sleep").Select(Seconds).ToList();
        var exit = After(words, "exit").Select(Number).LastOrDefault() ?? (words[^1] == "false" ? 1 : 0);
        return sleeps.Contains(null) ? Endless : new(sleeps.Count == 0 ? Short : TimeSpan.FromSeconds(sleeps.Sum()!.Value), exit);
    }

    private static List<string> Words(JsonObject pod) =>
    [
        .. pod.Objects("spec", "containers")
            .SelectMany(container => container.Texts("command").Concat(container.Texts("args")))
            .SelectMany(text => text.Split([' ', '\t', '\n', ';', '&', '|', '"', '\'', '(', ')'], StringSplitOptions.RemoveEmptyEntries))
            .Select(word => word is "/sbin/reboot" or "/usr/sbin/reboot" ? "reboot" : word),
    ];

    private static bool IsPrivileged(JsonObject pod) =>
        pod.Flag("spec", "hostPID") || pod.Objects("spec", "containers").Any(container => container.Flag("securityContext", "privileged"));

    private static IEnumerable<string?> After(List<string> words, string word) => words.Index()
        .Where(each => each.Item == word)
        .Select(each => words.ElementAtOrDefault(each.Index + 1));

    private static double? Seconds(string? text) =>
        double.TryParse(text?.TrimEnd('s'), CultureInfo.InvariantCulture, out var seconds) ? seconds : null;

    private static int? Number(string? text) => int.TryParse(text, CultureInfo.InvariantCulture, out var number) ? number : null;
}
