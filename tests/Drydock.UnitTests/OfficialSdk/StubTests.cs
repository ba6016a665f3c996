using System.Runtime.CompilerServices;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.OfficialSdk;

/// <summary>The stub that CI builds the workflows against says what the recorded list of the official API says.</summary>
public sealed class StubTests
{
    [Fact]
    public void The_committed_stub_is_what_the_recorded_list_of_the_official_api_gives()
    {
        var stub = StubWriter.Write(File.ReadAllText(Beside("Recorded/durable-task-public-api.txt")));
        var path = Beside("../../Drydock.OfficialSdk/Stub.cs");

        // After a change of the list or the writer: DRYDOCK_ACCEPT=1 writes the stub again.
        if (Environment.GetEnvironmentVariable("DRYDOCK_ACCEPT") == "1")
        {
            File.WriteAllText(path, stub);
        }

        File.ReadAllText(path).ShouldBe(stub);
    }

    private static string Beside(string relative, [CallerFilePath] string file = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, relative));
}
