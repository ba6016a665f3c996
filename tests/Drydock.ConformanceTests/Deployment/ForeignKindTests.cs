using Shouldly;
using YamlDotNet.RepresentationModel;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>
/// Objects of kinds that Kubernetes itself does not have say nothing that those kinds do not know: an API server would drop such a field without
/// a word. The fields are those of the definitions of each project: monitoring.coreos.com/v1 (Prometheus Operator), cert-manager.io/v1,
/// security.openshift.io/v1, console.openshift.io/v1 and route.openshift.io/v1 (openshift/api).
/// </summary>
public sealed class ForeignKindTests
{
    // A name in braces has fields of its own, in brackets it is a list of such; a star takes any names. What is required begins with an exclamation mark.
    private static readonly Dictionary<string, string> _known = new(StringComparer.Ordinal)
    {
        ["monitoring.coreos.com/v1 ServiceMonitor"] =
            """
            spec{!selector{matchLabels{*} matchExpressions[key operator values]} jobLabel targetLabels podTargetLabels namespaceSelector{any matchNames} sampleLimit attachMetadata{node}
              !endpoints[port targetPort path scheme params{*} interval scrapeTimeout honorLabels honorTimestamps followRedirects enableHttp2 bearerTokenFile bearerTokenSecret{key name}
                authorization{type credentials{key name}} basicAuth{username{key name} password{key name}}
                tlsConfig{ca{secret{key name} configMap{key name}} caFile cert{secret{key name} configMap{key name}} certFile keyFile keySecret{key name} insecureSkipVerify serverName minVersion maxVersion}
                relabelings[action regex replacement separator sourceLabels targetLabel modulus] metricRelabelings[action regex replacement separator sourceLabels targetLabel modulus]]}
            """,
        ["monitoring.coreos.com/v1 PrometheusRule"] =
            """
            spec{groups[!name interval limit labels{*} query_offset partial_response_strategy rules[alert record !expr for keep_firing_for labels{*} annotations{*}]]}
            """,
        ["cert-manager.io/v1 Certificate"] =
            """
            spec{!secretName !issuerRef{!name kind group} dnsNames ipAddresses uris emailAddresses commonName subject{organizations organizationalUnits countries} duration renewBefore
              usages isCA privateKey{algorithm size encoding rotationPolicy} secretTemplate{annotations{*} labels{*}} revisionHistoryLimit}
            """,
        ["cert-manager.io/v1 Issuer"] = "spec{selfSigned{crlDistributionPoints} ca{secretName}}",
        ["security.openshift.io/v1 SecurityContextConstraints"] =
            """
            !allowHostDirVolumePlugin !allowHostIPC !allowHostNetwork !allowHostPID !allowHostPorts !allowPrivilegedContainer !allowedCapabilities !defaultAddCapabilities
            !requiredDropCapabilities priority !readOnlyRootFilesystem !volumes allowPrivilegeEscalation defaultAllowPrivilegeEscalation allowedFlexVolumes[driver] allowedUnsafeSysctls
            forbiddenSysctls seccompProfiles users groups runAsUser{type uid uidRangeMin uidRangeMax} seLinuxContext{type seLinuxOptions{level role type user}}
            fsGroup{type ranges[min max]} supplementalGroups{type ranges[min max]}
            """,
        ["console.openshift.io/v1 ConsoleLink"] =
            "spec{!href !text !location applicationMenu{!section imageURL} namespaceDashboard{namespaces namespaceSelector{matchLabels{*}}}}",
        ["route.openshift.io/v1 Route"] =
            """
            spec{host path subdomain wildcardPolicy !to{!kind !name weight} alternateBackends[kind name weight] port{!targetPort}
              tls{!termination certificate key caCertificate destinationCACertificate insecureEdgeTerminationPolicy}}
            """,
    };

    [Theory]
    [InlineData("overlays/sqlite", "monitoring cert-manager")]
    [InlineData("overlays/openshift", "cert-manager")]
    public async Task Every_field_of_every_foreign_kind_is_known(string overlay, string components)
    {
        var built = await ManifestTests.KustomizeAsync(overlay, components.Split(' '));
        var checkedKinds = new List<string>();
        foreach (var root in built.Split("\n---\n").Select(ManifestTests.Root))
        {
            var kind = $"{root["apiVersion"]} {root["kind"]}";
            if (ManifestTests.IsBuiltIn(root["apiVersion"].ToString()) || root["kind"].ToString() == "CustomResourceDefinition")
            {
                continue;
            }

            _known.ShouldContainKey(kind, "A new kind needs its fields in the table.");
            ProblemsOf(root, kind).ShouldBeEmpty();
            checkedKinds.Add(kind);
        }

        checkedKinds.ShouldContain("monitoring.coreos.com/v1 PrometheusRule");
        checkedKinds.ShouldContain("cert-manager.io/v1 Certificate");
        checkedKinds.Distinct().Count().ShouldBe(overlay.EndsWith("openshift", StringComparison.Ordinal) ? 7 : 4);
    }

    [Theory]
    [InlineData("kind: Certificate\napiVersion: cert-manager.io/v1\nmetadata: {name: x}\nspec: {secretName: a, issuerRef: {name: b}, dnsName: [c]}", "spec.dnsName is not known")]
    [InlineData("kind: Certificate\napiVersion: cert-manager.io/v1\nmetadata: {name: x}\nspec: {secretName: a}", "spec.issuerRef is missing")]
    [InlineData("kind: PrometheusRule\napiVersion: monitoring.coreos.com/v1\nmetadata: {name: x}\nspec: {groups: [{name: a, rules: [{alert: b, exp: c}]}]}", "spec.groups.rules.exp is not known")]
    public void A_field_that_is_not_known_or_missing_is_found(string text, string problem)
    {
        var root = ManifestTests.Root(text);

        ProblemsOf(root, $"{root["apiVersion"]} {root["kind"]}").ShouldContain(found => found.EndsWith(problem, StringComparison.Ordinal));
    }

    private static List<string> ProblemsOf(YamlMappingNode root, string kind)
    {
        var told = new YamlMappingNode(root.Children.Where(static each => each.Key.ToString() is not ("apiVersion" or "kind" or "metadata")));
        return [.. Problems(told, Shape.Parse(_known[kind]), $"{kind} {root["metadata"]["name"]}: ")];
    }

    private static IEnumerable<string> Problems(YamlNode node, Shape shape, string path)
    {
        if (node is YamlSequenceNode items)
        {
            return items.SelectMany(item => Problems(item, shape, path));
        }

        if (node is not YamlMappingNode mapping)
        {
            return shape.Fields.Count == 0 ? [] : [$"{path} is not an object"];
        }

        if (shape.IsFree)
        {
            return [];
        }

        var names = mapping.Children.ToDictionary(static each => each.Key.ToString(), static each => each.Value);
        return names.Where(each => !shape.Fields.ContainsKey(each.Key)).Select(each => $"{path}{each.Key} is not known")
            .Concat(shape.Required.Where(name => !names.ContainsKey(name)).Select(name => $"{path}{name} is missing"))
            .Concat(names.Where(each => shape.Fields.ContainsKey(each.Key)).SelectMany(each => Problems(each.Value, shape.Fields[each.Key], $"{path}{each.Key}.")));
    }

    /// <summary>The fields of an object, or none: a value.</summary>
    private sealed class Shape
    {
        public Dictionary<string, Shape> Fields { get; } = new(StringComparer.Ordinal);

        public List<string> Required { get; } = [];

        public bool IsFree { get; private set; }

        public static Shape Parse(string text)
        {
            var at = 0;
            return Parse(text, ref at);
        }

        private static Shape Parse(string text, ref int at)
        {
            var shape = new Shape();
            while (at < text.Length && text[at] is not ('}' or ']'))
            {
                var from = at;
                while (at < text.Length && !char.IsWhiteSpace(text[at]) && text[at] is not ('{' or '[' or '}' or ']'))
                {
                    at++;
                }

                var name = text[from..at];
                var inner = new Shape();
                if (at < text.Length && text[at] is ('{' or '['))
                {
                    at++;
                    inner = Parse(text, ref at);
                    at++;
                }

                if (name == "*")
                {
                    shape.IsFree = true;
                }
                else if (name.Length > 0)
                {
                    shape.Fields[name.TrimStart('!')] = inner;
                    if (name[0] == '!')
                    {
                        shape.Required.Add(name[1..]);
                    }
                }

                while (at < text.Length && char.IsWhiteSpace(text[at]))
                {
                    at++;
                }
            }

            return shape;
        }
    }
}
