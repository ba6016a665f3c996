using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Controllers;

/// <summary>Required anti-affinity between pods of one namespace, by any topology key.</summary>
internal static class AntiAffinity
{
    public const string HostName = "kubernetes.io/hostname";

    /// <summary>Whether one pod must not be in the same topology of this key as another.</summary>
    public static bool Repels(JsonObject one, JsonObject other, string topologyKey) =>
        one.NamespaceOf() == other.NamespaceOf()
        && TermsOf(one).Any(term => term.Text("topologyKey") == topologyKey && Matches(term, other));

    public static bool Matches(JsonObject term, JsonObject pod) => Selectors.Matches(term.At("labelSelector"), pod.Object("metadata", "labels"));

    public static IEnumerable<JsonObject> TermsOf(JsonObject pod) =>
        pod.Objects("spec", "affinity", "podAntiAffinity", "requiredDuringSchedulingIgnoredDuringExecution");

    /// <summary>The terms that are about more than the node itself, such as a zone.</summary>
    public static IEnumerable<JsonObject> WideTermsOf(JsonObject pod) => TermsOf(pod).Where(term => term.Text("topologyKey") != HostName);
}
