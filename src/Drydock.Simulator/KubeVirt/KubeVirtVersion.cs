using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>The KubeVirt that is installed, as its object says; a test may say another.</summary>
internal static class KubeVirtVersion
{
    /// <summary>Such as <c>v1.9.0</c>, or null.</summary>
    public static string? Of(IObjectStore store) =>
        store.List(KubeVirtTypes.KubeVirts).Select(each => each.Text("status", "observedKubeVirtVersion")).FirstOrDefault();

    /// <summary>Whether it is that version or a later one; one that says nothing is the newest.</summary>
    public static bool IsAtLeast(IObjectStore store, int major, int minor) =>
        Of(store) is not { } version || !Version.TryParse(version.TrimStart('v'), out var number) || number >= new Version(major, minor);
}
