using System.Diagnostics;
using k8s;
using Shouldly;
using YamlDotNet.RepresentationModel;

namespace Drydock.ConformanceTests.Deployment;

/// <summary>The manifests build, and those of built-in kinds say nothing that Kubernetes does not know.</summary>
public sealed class ManifestTests
{
    [Theory]
    [InlineData("base")]
    [InlineData("overlays/sqlite")]
    [InlineData("overlays/openshift")]
    [InlineData("overlays/postgresql")]
    public async Task An_overlay_builds_and_every_field_of_built_in_kinds_is_known(string overlay)
    {
        var built = await KustomizeAsync(overlay);

        var kinds = new List<string>();
        foreach (var document in built.Split("\n---\n"))
        {
            var root = Root(document);
            kinds.Add(root["kind"].ToString());
            if (IsBuiltIn(root["apiVersion"].ToString()))
            {
                Should.NotThrow(() => KubernetesYaml.LoadAllFromString(document, typeMap: null, strict: true), $"{root["kind"]} {root["metadata"]["name"]}");
            }
        }

        kinds.ShouldContain("Deployment");
        kinds.ShouldContain("PodDisruptionBudget");
        kinds.ShouldContain("NetworkPolicy");
    }

    [Theory]
    [InlineData("overlays/sqlite", "/data/drydock.db")]
    [InlineData("overlays/openshift", "/data/drydock.db")]
    [InlineData("overlays/postgresql", "Host=postgresql;")]
    public async Task Every_overlay_takes_maintenances_as_objects_of_Kubernetes_and_checks_them(string overlay, string hub)
    {
        var built = await KustomizeAsync(overlay);
        var known = built.Split("\n---\n").Where(static document =>
            !document.Contains(".openshift.io/v1\n", StringComparison.Ordinal) && !document.Contains("apiVersion: monitoring.coreos.com/v1\n", StringComparison.Ordinal));
        var objects = KubernetesYaml.LoadAllFromString(string.Join("\n---\n", known), typeMap: null, strict: false);
        var container = objects.OfType<k8s.Models.V1Deployment>().Single().Spec.Template.Spec.Containers.ShouldHaveSingleItem();

        objects.OfType<k8s.Models.V1CustomResourceDefinition>().Select(static each => each.Spec.Names.Kind)
            .ShouldBe(["MaintenancePolicy", "MaintenanceRollout", "MaintenanceWindow", "NodeMaintenance"], ignoreOrder: true);
        container.Env.Single(static each => each.Name == "DRYDOCK__OPERATOR").Value.ShouldBe("true");
        container.Args[container.Args.IndexOf("--db") + 1].ShouldStartWith(hub, Case.Sensitive, "A patch by position must hit what it means.");
        container.Args.ShouldContain("--webhook-listen=0.0.0.0:9443");

        // The way of a review: the configuration names a Service, the Service a port of the pods, and the policy lets it in.
        var checks = objects.OfType<k8s.Models.V1ValidatingWebhookConfiguration>().ShouldHaveSingleItem().Webhooks;
        var service = objects.OfType<k8s.Models.V1Service>().Single(static each => each.Metadata.Name == "drydock-webhook");
        checks.Select(static each => (each.ClientConfig.Service.Name, each.ClientConfig.Service.NamespaceProperty)).Distinct()
            .ShouldBe([(service.Metadata.Name, service.Metadata.NamespaceProperty)]);
        checks.SelectMany(static each => each.Rules).SelectMany(static rule => rule.Resources).Distinct()
            .ShouldBe(["nodemaintenances", "maintenancerollouts", "maintenancewindows", "maintenancepolicies"], ignoreOrder: true);
        service.Spec.Ports.ShouldHaveSingleItem().TargetPort.Value.ShouldBe("9443");
        container.Ports.ShouldContain(static port => port.Name == "webhook" && port.ContainerPort == 9443);
        objects.OfType<k8s.Models.V1NetworkPolicy>().Single().Spec.Ingress.SelectMany(static rule => rule.Ports).ShouldContain(static port => port.Port.Value == "9443");
        objects.OfType<k8s.Models.V1ClusterRoleBinding>().ShouldContain(static binding => binding.RoleRef.Name == "drydock-resources");
    }

    [Theory]
    [InlineData("overlays/sqlite")]
    [InlineData("overlays/openshift")]
    [InlineData("overlays/postgresql")]
    public async Task With_cert_manager_the_webhook_has_its_certificate_and_Drydock_no_right_to_make_one(string overlay)
    {
        var built = await KustomizeAsync(overlay, "cert-manager");
        var objects = KubernetesYaml.LoadAllFromString(
            string.Join("\n---\n", built.Split("\n---\n").Where(static document => IsBuiltIn(Root(document)["apiVersion"].ToString()))), typeMap: null, strict: true);
        var pod = objects.OfType<k8s.Models.V1Deployment>().Single().Spec.Template.Spec;
        var container = pod.Containers.ShouldHaveSingleItem();
        var certificate = built.Split("\n---\n").Select(Root).Single(static each => each["kind"].ToString() == "Certificate");

        // From the files the server reads, by the volume and its Secret, to the certificate that cert-manager writes there and who trusts it.
        var mount = container.VolumeMounts.Single(static each => each.MountPath == "/webhook-tls");
        container.Args.ShouldContain("--webhook-certificates=/webhook-tls");
        container.Args.ShouldContain("--webhook-listen=0.0.0.0:9443");
        pod.Volumes.Single(volume => volume.Name == mount.Name).Secret.SecretName.ShouldBe(certificate["spec"]["secretName"].ToString());
        var webhook = objects.OfType<k8s.Models.V1ValidatingWebhookConfiguration>().Single();
        webhook.Metadata.Annotations["cert-manager.io/inject-ca-from"].ShouldBe($"{certificate["metadata"]["namespace"]}/{certificate["metadata"]["name"]}");
        var service = webhook.Webhooks[0].ClientConfig.Service;
        ((YamlSequenceNode)certificate["spec"]["dnsNames"]).ShouldContain(new YamlScalarNode($"{service.Name}.{service.NamespaceProperty}.svc"));
        certificate["spec"]["issuerRef"]["name"].ToString().ShouldBe(
            built.Split("\n---\n").Select(Root).Single(static each => each["kind"].ToString() == "Issuer")["metadata"]["name"].ToString());

        var rules = objects.OfType<k8s.Models.V1ClusterRole>().SelectMany(static role => role.Rules).Concat(objects.OfType<k8s.Models.V1Role>().SelectMany(static role => role.Rules)).ToList();
        rules.SelectMany(static rule => rule.Resources ?? []).ShouldNotContain("secrets");
        rules.SelectMany(static rule => rule.Resources ?? []).ShouldNotContain("validatingwebhookconfigurations");
        rules.SelectMany(static rule => rule.Resources ?? []).ShouldContain("maintenancepolicies/status", "Only that right is gone.");
    }

    [Fact]
    public async Task The_container_is_not_root_writes_nothing_but_its_volumes_and_has_no_capability()
    {
        var built = await KustomizeAsync("base");
        var pod = KubernetesYaml.LoadAllFromString(built, typeMap: null, strict: false).OfType<k8s.Models.V1Deployment>().Single().Spec.Template.Spec;

        pod.SecurityContext.RunAsNonRoot.ShouldBe(true);
        var container = pod.Containers.ShouldHaveSingleItem();
        container.SecurityContext.ReadOnlyRootFilesystem.ShouldBe(true);
        container.SecurityContext.AllowPrivilegeEscalation.ShouldBe(false);
        container.SecurityContext.Capabilities.Drop.ShouldBe(["ALL"]);
        container.Image.ShouldContain(":");
        (container.ReadinessProbe.HttpGet.Path, container.LivenessProbe.HttpGet.Path).ShouldBe(("/readyz", "/healthz"));
    }

    [Fact]
    public async Task On_PostgreSQL_there_are_three_that_take_their_password_from_a_file_and_stay_apart()
    {
        var built = await KustomizeAsync("overlays/postgresql");
        var objects = KubernetesYaml.LoadAllFromString(built, typeMap: null, strict: false);
        var deployment = objects.OfType<k8s.Models.V1Deployment>().Single().Spec;
        var pod = deployment.Template.Spec;
        var container = pod.Containers.ShouldHaveSingleItem();

        deployment.Replicas.ShouldBe(3);
        deployment.Strategy.Type.ShouldBe("RollingUpdate");
        pod.Affinity.PodAntiAffinity.PreferredDuringSchedulingIgnoredDuringExecution.Count.ShouldBe(2);
        container.Args[container.Args.IndexOf("--db") + 1].ShouldContain("Passfile=/postgresql/pgpass");
        container.VolumeMounts.ShouldContain(mount => mount.MountPath == "/postgresql" && mount.ReadOnlyProperty == true);
        pod.Volumes.ShouldContain(volume => volume.Secret != null && volume.Secret.SecretName == "drydock-postgresql");
        objects.OfType<k8s.Models.V1PersistentVolumeClaim>().ShouldBeEmpty();
        objects.OfType<k8s.Models.V1NetworkPolicy>().Single().Spec.Egress.SelectMany(rule => rule.Ports).ShouldContain(port => port.Port.Value == "5432");
    }

    internal static bool IsBuiltIn(string apiVersion) =>
        !apiVersion.Contains('/') || apiVersion.StartsWith("apps/", StringComparison.Ordinal) || apiVersion.StartsWith("policy/", StringComparison.Ordinal)
        || (apiVersion.Split('/')[0].EndsWith(".k8s.io", StringComparison.Ordinal) && !apiVersion.StartsWith("apiextensions", StringComparison.Ordinal));

    internal static YamlMappingNode Root(string document)
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(document));
        return (YamlMappingNode)yaml.Documents.Single().RootNode;
    }

    /// <summary>A base or overlay with more components, as somebody's own overlay would have it.</summary>
    internal static async Task<string> KustomizeAsync(string overlay, params string[] components)
    {
        var root = Path.Combine(AdmissionTests.Root(), "infra", "kubernetes");
        var folder = Directory.CreateTempSubdirectory("drydock-kustomize-");
        try
        {
            var to = Path.GetRelativePath(folder.FullName, root);
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "kustomization.yaml"), $"resources: [{to}/{overlay}]\ncomponents: [{string.Join(", ", components.Select(component => $"{to}/components/{component}"))}]\n");
            return await KustomizeAsync(folder.FullName);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    internal static async Task<string> KustomizeAsync(string overlay)
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "Workflows.sln")))
        {
            folder = folder.Parent;
        }

        using var kubectl = Process.Start(new ProcessStartInfo("kubectl", ["kustomize", Path.Combine(folder!.FullName, "infra", "kubernetes", overlay)])
        {
            UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
        })!;
        var token = TestContext.Current.CancellationToken;
        var texts = await Task.WhenAll(kubectl.StandardOutput.ReadToEndAsync(token), kubectl.StandardError.ReadToEndAsync(token));
        await kubectl.WaitForExitAsync(token);
        kubectl.ExitCode.ShouldBe(0, texts[1]);
        return texts[0];
    }
}
