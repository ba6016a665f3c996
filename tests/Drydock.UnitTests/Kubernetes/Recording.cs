using System.Runtime.CompilerServices;
using System.Text.Json;
using Drydock.Kubernetes.Reading;

namespace Drydock.UnitTests.Kubernetes;

/// <summary>Recorded answers; <c>Recorded/README.md</c> says where they come from.</summary>
internal static class Recording
{
    public static string Text(string name) => File.ReadAllText(Path.Combine(Folder(), name + ".json"));

    public static JsonElement Json(string name) => JsonReading.Parse(File.ReadAllBytes(Path.Combine(Folder(), name + ".json")));

    private static string Folder([CallerFilePath] string file = "") => Path.Combine(Path.GetDirectoryName(file)!, "Recorded");
}
