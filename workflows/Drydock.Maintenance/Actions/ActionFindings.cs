using Drydock.Kubernetes;

namespace Drydock.Maintenance.Actions;

/// <summary>What stands in the way of the actions and probes of a request, and what they need to be allowed.</summary>
internal sealed class ActionFindings(
    MaintenanceRequest request, MaintenancePolicy? policy, NodeSnapshot node, IHttpTargets targets, ISecretFiles secrets, CallbackAddress callbacks)
{
    private readonly List<PlanFinding> _findings = [];
    private readonly List<AccessRule> _access = [];

    /// <summary>The calls the actions need, once they were read.</summary>
    public IReadOnlyList<AccessRule> Access => _access;

    /// <summary>One finding for each thing that cannot be done.</summary>
    public async Task<IReadOnlyList<PlanFinding>> ReadAsync(CancellationToken cancellationToken)
    {
        foreach (var (_, step) in ActionPlanner.StepsOf(request))
        {
            await ReadAsync(step, cancellationToken);
        }

        foreach (var name in Resolve.ProbeNames(request, policy))
        {
            await ReadProbeAsync(name, cancellationToken);
        }

        if (request.Health.KubeletVersion is { } least && KubeletVersions.IsVersion(least) && !KubeletVersions.IsAtLeast(node.KubeletVersion, least))
        {
            _findings.Add(new(
                FindingSeverity.Notes, "kubelet-version", $"The kubelet is {node.KubeletVersion} now; it must be at least {least} afterwards.", $"node/{node.Name}"));
        }

        return _findings;
    }

    private async Task ReadAsync(ActionStep step, CancellationToken cancellationToken)
    {
        switch (step.Kind)
        {
            case MaintenanceAction.Job when step.Options.Job is { } own:
                ReadJob($"The job of the request in {own.Namespace}", own);
                break;
            case MaintenanceAction.Job:
                ReadJob(step.ToString(), step.Options.Template);
                break;
            case MaintenanceAction.Reboot when node.BootId is null:
                Refuse("reboot-impossible", $"Node {node.Name} reports no boot ID: whether it has rebooted could not be told.");
                break;
            case MaintenanceAction.Reboot:
                ReadReboot();
                break;
            case MaintenanceAction.Webhook:
                await ReadWebhookAsync(step, cancellationToken);
                break;
            case MaintenanceAction.PowerCycle:
                _access.Add(new("patch", "metal3.io", "baremetalhosts"));
                break;
        }
    }

    private void ReadReboot()
    {
        if (policy?.RebootJob is { } named)
        {
            ReadJob("reboot", named);
            if (policy.Jobs.GetValueOrDefault(named) is { } job && JobManifest.Problem(job) is null && JobManifest.RebootsAgain(job) is { } why)
            {
                Refuse(
                    "reboot-twice", $"Job {named} of policy {policy.Name} may reboot node {node.Name} twice: {why}, and it does not look at the boot ID.",
                    "Set backoffLimit 0 and restartPolicy Never, or let it do nothing where the boot ID is not {bootId}.");
            }
        }
        else
        {
            NeedJobs(JobManifest.BuiltInReboot.Namespace);
        }
    }

    private void ReadJob(string what, string? name)
    {
        if (name is null || policy?.Jobs.GetValueOrDefault(name) is not { } job)
        {
            Missing(what, "job", name, policy?.Jobs.Keys);
        }
        else
        {
            ReadJob($"Job {name} of policy {policy.Name}", job);
        }
    }

    private void ReadJob(string what, JobTemplate job)
    {
        if (JobManifest.Problem(job) is { } problem)
        {
            Refuse("job-invalid", $"{what} cannot be run: {problem}.");
        }
        else
        {
            NeedJobs(job.Namespace);
        }
    }

    private async Task ReadWebhookAsync(ActionStep step, CancellationToken cancellationToken)
    {
        var name = step.Options.Template;
        if (name is null || policy?.Webhooks.GetValueOrDefault(name) is not { } webhook)
        {
            Missing(step.ToString(), "webhook", name, policy?.Webhooks.Keys);
            return;
        }

        ReadUrl($"Webhook {name}", webhook.Url);
        await ReadSecretAsync($"Webhook {name}", webhook.SecretFile, cancellationToken);
        await ReadSecretAsync($"Webhook {name}", webhook.TokenFile, cancellationToken);
        if (webhook.WaitsForCallback && callbacks.PublicUrl is null)
        {
            Refuse("webhook-callback", $"Webhook {name} is to call back, and this Drydock has no address that others can call.", "Start the server with --public-url.");
        }
    }

    private async Task ReadProbeAsync(string name, CancellationToken cancellationToken)
    {
        if (policy?.Probes.GetValueOrDefault(name) is not { } probe)
        {
            Missing($"probe {name}", "probe", name, policy?.Probes.Keys);
            return;
        }

        switch (probe)
        {
            case { Kind: ProbeKind.Job }:
                ReadJob($"probe {name}", probe.Job);
                break;
            case { Kind: ProbeKind.Pods, Selector: null }:
                Refuse("probe-invalid", $"Probe {name} of policy {policy.Name} has no selector.");
                break;
            case { Kind: ProbeKind.Http or ProbeKind.Prometheus, Url: null } or { Kind: ProbeKind.Prometheus, Query: null }:
                Refuse("probe-invalid", $"Probe {name} of policy {policy.Name} has no {(probe.Url is null ? "url" : "query")}.");
                break;
            case { Url: { } url }:
                ReadUrl($"Probe {name}", url);
                await ReadSecretAsync($"Probe {name}", probe.TokenFile, cancellationToken);
                break;
        }
    }

    private void ReadUrl(string what, string url)
    {
        if (targets.Problem(HttpText.Fill(url, node.Name, "m")) is { } problem)
        {
            Refuse("url-not-allowed", $"{what} of policy {policy!.Name}: {problem}");
        }
    }

    private async Task ReadSecretAsync(string what, string? file, CancellationToken cancellationToken)
    {
        if (file is not null && await secrets.ReadAsync(file, cancellationToken) is null)
        {
            Refuse("secret-missing", $"{what} of policy {policy!.Name} needs the secret file {file}, which is not mounted.");
        }
    }

    private void NeedJobs(string @namespace) =>
        _access.AddRange(new[] { "get", "create", "delete" }.Select(verb => new AccessRule(verb, "batch", "jobs", Namespace: @namespace)));

    private void Missing(string what, string kind, string? name, IEnumerable<string>? there) => Refuse(
        $"{kind}-not-found",
        name is null ? $"The {what} names no {kind} of a policy."
            : policy is null ? $"The {what} needs a policy: jobs, webhooks and probes are taken from one."
            : $"Policy {policy.Name} has no {kind} named {name}.",
        there?.Order(StringComparer.Ordinal).ToList() is { Count: > 0 } names ? $"There are: {string.Join(", ", names)}." : null);

    private void Refuse(string kind, string message, string? nextStep = null) =>
        _findings.Add(new(FindingSeverity.Refuses, kind, message, NextStep: nextStep));
}
