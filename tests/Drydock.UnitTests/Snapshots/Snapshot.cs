using System.Runtime.CompilerServices;
using Shouldly;

namespace Drydock.UnitTests.Snapshots;

/// <summary>
/// Texts that people approved: <c>Class.Name.verified.txt</c> beside the test. What a failing test saw instead is written to
/// <c>.received.txt</c>; with <c>DRYDOCK_ACCEPT=1</c> it becomes the approved one.
/// </summary>
internal static class Snapshot
{
    public static void ShouldBeAsApproved(this string text, string name, [CallerFilePath] string file = "")
    {
        var place = Path.Combine(Path.GetDirectoryName(file)!, $"{Path.GetFileNameWithoutExtension(file)}.{name}");
        var verified = place + ".verified.txt";
        var received = place + ".received.txt";
        text = text.ReplaceLineEndings("\n").TrimEnd() + "\n";

        if (Environment.GetEnvironmentVariable("DRYDOCK_ACCEPT") == "1")
        {
            File.WriteAllText(verified, text);
        }

        var approved = File.Exists(verified) ? File.ReadAllText(verified) : string.Empty;
        if (approved != text)
        {
            File.WriteAllText(received, text);
        }
        else
        {
            File.Delete(received);
        }

        text.ShouldBe(approved);
    }
}
