using k8s;
using Shouldly;
using YamlDotNet.RepresentationModel;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>
/// What the OpenShift overlay adds of OpenShift's own kinds says nothing that those kinds do not know, and fits together. The fields are
/// those of console.openshift.io/v1 and route.openshift.io/v1 in openshift/api.
/// </summary>
public sealed class OpenShiftTests
{
    private static readonly IDeserializer Strict = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).WithDuplicateKeyChecking().Build();

    [Fact]
    public async Task The_link_in_the_console_leads_by_the_route_to_what_the_server_shows_people()
    {
        var built = await ManifestTests.KustomizeAsync("overlays/openshift");

        var link = Strict.Deserialize<ConsoleLink>(Document(built, "ConsoleLink"));
        var route = Strict.Deserialize<Route>(Document(built, "Route"));

        (link.ApiVersion, link.Spec.Location, link.Spec.Text.Length > 0).ShouldBe(("console.openshift.io/v1", "ApplicationMenu", true));
        link.Spec.ApplicationMenu.ShouldNotBeNull("the location asks for it").Section.ShouldNotBeNullOrEmpty();
        var address = new Uri(link.Spec.Href);
        (address.Scheme, address.AbsolutePath).ShouldBe(("https", "/docs"));

        // What the router calls a Route that names no host: its name, its namespace, the domain of the cluster.
        route.Spec.Host.ShouldBeNull();
        address.Host.ShouldStartWith($"{route.Metadata.Name}-{route.Metadata.Namespace}.");
        var service = KubernetesYaml.LoadAllFromString(Document(built, "Service"), typeMap: null, strict: true).OfType<k8s.Models.V1Service>().Single();
        (route.Spec.To.Kind, route.Spec.To.Name, route.Metadata.Namespace).ShouldBe(("Service", service.Metadata.Name, service.Metadata.NamespaceProperty));
        service.Spec.Ports.ShouldContain(port => port.Name == route.Spec.Port.TargetPort);
        (route.Spec.Tls.Termination, route.Spec.Tls.InsecureEdgeTerminationPolicy).ShouldBe(("reencrypt", "Redirect"));
    }

    /// <summary>The Prometheus for users' own projects takes no ServiceMonitor that reads files of its pod: it is skipped, and nothing is measured.</summary>
    [Fact]
    public async Task Prometheus_shows_the_token_of_an_account_that_may_read_the_metrics_and_nothing_else()
    {
        var built = await ManifestTests.KustomizeAsync("overlays/openshift");
        var objects = KubernetesYaml.LoadAllFromString(
            string.Join("\n---\n", built.Split("\n---\n").Where(static document => ManifestTests.IsBuiltIn(ManifestTests.Root(document)["apiVersion"].ToString()))), typeMap: null, strict: true);

        var endpoint = ManifestTests.Root(Document(built, "ServiceMonitor"))["spec"]["endpoints"][0];

        endpoint.ToString().ShouldNotContain("bearerTokenFile");
        var (name, key) = (endpoint["authorization"]["credentials"]["name"].ToString(), endpoint["authorization"]["credentials"]["key"].ToString());
        var secret = objects.OfType<k8s.Models.V1Secret>().Single(each => each.Metadata.Name == name);
        (secret.Type, key).ShouldBe(("kubernetes.io/service-account-token", "token"));
        var account = secret.Metadata.Annotations["kubernetes.io/service-account.name"];
        var binding = objects.OfType<k8s.Models.V1ClusterRoleBinding>().Single(each => each.Subjects.Any(subject => subject.Name == account));
        binding.Subjects.ShouldHaveSingleItem().NamespaceProperty.ShouldBe(secret.Metadata.NamespaceProperty);
        var rule = objects.OfType<k8s.Models.V1ClusterRole>().Single(each => each.Metadata.Name == binding.RoleRef.Name).Rules.ShouldHaveSingleItem();
        (rule.NonResourceURLs.ShouldHaveSingleItem(), rule.Verbs.ShouldHaveSingleItem(), rule.Resources).ShouldBe(("/metrics", "get", null));
    }

    /// <summary>A policy is about the ports of pods: behind the port 53 of OpenShift's Service for DNS they listen on 5353.</summary>
    [Fact]
    public async Task Names_are_resolved_there_too()
    {
        var built = await ManifestTests.KustomizeAsync("overlays/openshift");
        var policy = KubernetesYaml.LoadAllFromString(Document(built, "NetworkPolicy"), typeMap: null, strict: true).OfType<k8s.Models.V1NetworkPolicy>().Single();

        policy.Spec.Egress.SelectMany(static rule => rule.Ports).Where(static port => port.Port.Value == "5353").Select(static port => port.Protocol).ShouldBe(["UDP", "TCP"]);
    }

    [Fact]
    public void A_field_that_the_console_does_not_know_is_found() =>
        Should.Throw<YamlDotNet.Core.YamlException>(() => Strict.Deserialize<ConsoleLink>("kind: ConsoleLink\nspec: {href: 'https://x', locaton: UserMenu}"));

    private static string Document(string built, string kind) => built.Split("\n---\n").Single(document =>
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(document));
        var root = (YamlMappingNode)yaml.Documents.Single().RootNode;
        return root["kind"].ToString() == kind && root["metadata"]["name"].ToString() == "drydock";
    });

    private sealed class Meta
    {
        public string Name { get; set; } = "";

        public string? Namespace { get; set; }

        public Dictionary<string, string> Labels { get; set; } = [];

        public Dictionary<string, string> Annotations { get; set; } = [];
    }

    private sealed class ConsoleLink
    {
        public string ApiVersion { get; set; } = "";

        public string Kind { get; set; } = "";

        public Meta Metadata { get; set; } = new();

        public ConsoleLinkSpec Spec { get; set; } = new();
    }

    private sealed class ConsoleLinkSpec
    {
        public string Text { get; set; } = "";

        public string Href { get; set; } = "";

        public string Location { get; set; } = "";

        public ApplicationMenu? ApplicationMenu { get; set; }
    }

    private sealed class ApplicationMenu
    {
        public string Section { get; set; } = "";

        [YamlMember(Alias = "imageURL", ApplyNamingConventions = false)]
        public string? ImageUrl { get; set; }
    }

    private sealed class Route
    {
        public string ApiVersion { get; set; } = "";

        public string Kind { get; set; } = "";

        public Meta Metadata { get; set; } = new();

        public RouteSpec Spec { get; set; } = new();
    }

    private sealed class RouteSpec
    {
        public string? Host { get; set; }

        public string? Path { get; set; }

        public RouteTarget To { get; set; } = new();

        public RoutePort Port { get; set; } = new();

        public RouteTls Tls { get; set; } = new();
    }

    private sealed class RouteTarget
    {
        public string Kind { get; set; } = "";

        public string Name { get; set; } = "";

        public int? Weight { get; set; }
    }

    private sealed class RoutePort
    {
        public string TargetPort { get; set; } = "";
    }

    private sealed class RouteTls
    {
        public string Termination { get; set; } = "";

        public string? InsecureEdgeTerminationPolicy { get; set; }
    }
}
