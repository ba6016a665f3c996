using System.Text.Json;
using Drydock.Api;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Reads actions, hooks and approvals of a request.</summary>
internal static class ActionRequests
{
    private const int MostHooks = 20;
    private const int LongestManifest = 64 * 1024;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);

    private static readonly MaintenanceAction[] HookKinds = [.. Enum.GetValues<MaintenanceAction>().Where(static kind => kind != MaintenanceAction.None)];

    public static ActionOptions ReadOptions(FieldReader reader, string prefix, ActionSettings settings, MaintenanceAction kind)
    {
        if (settings.Manifest is not null && kind != MaintenanceAction.Job)
        {
            reader.Fail(prefix + "manifest", null, $"nothing with {kind}; only Job takes one");
        }

        var defaults = new ActionOptions();
        return new ActionOptions
        {
            Template = reader.Text(prefix + "template", settings.Template, 253),
            Job = ReadJob(reader, prefix, settings),
            Timeout = reader.OptionalDuration(prefix + "timeout", settings.Timeout, Second, Week),
            PowerOffFor = reader.Duration(prefix + "powerOffFor", settings.PowerOffFor, defaults.PowerOffFor, TimeSpan.Zero, Week),
            PowerOffUntilComplete = settings.PowerOffUntilComplete ?? defaults.PowerOffUntilComplete,
            RemindEvery = reader.Duration(prefix + "remindEvery", settings.RemindEvery, defaults.RemindEvery, TimeSpan.Zero, Week),
        };
    }

    public static MaintenanceHooks ReadHooks(FieldReader reader, string prefix, HookSettings hooks) => new()
    {
        BeforeDrain = ReadHooks(reader, prefix + "beforeDrain", hooks.BeforeDrain),
        AfterDrain = ReadHooks(reader, prefix + "afterDrain", hooks.AfterDrain),
        BeforeUncordon = ReadHooks(reader, prefix + "beforeUncordon", hooks.BeforeUncordon),
    };

    public static ApprovalPolicy ReadApproval(FieldReader reader, string prefix, ApprovalSettings approval)
    {
        var defaults = new ApprovalPolicy();
        return new ApprovalPolicy
        {
            Gates =
            [
                .. (approval.Gates ?? []).Select((gate, index) =>
                    reader.Choice($"{prefix}gates[{index}]", gate, ApprovalGate.Start, Enum.GetValues<ApprovalGate>())).Distinct(),
            ],
            Timeout = reader.Duration(prefix + "timeout", approval.Timeout, defaults.Timeout, Second, TimeSpan.FromDays(30)),
            RemindEvery = reader.Duration(prefix + "remindEvery", approval.RemindEvery, defaults.RemindEvery, TimeSpan.Zero, Week),
        };
    }

    public static string? ReadVersion(FieldReader reader, string field, string? version)
    {
        if (version is null || KubeletVersions.IsVersion(version))
        {
            return version;
        }

        reader.Fail(field, version, KubeletVersions.Allowed);
        return null;
    }

    /// <summary>The namespace of a Job that a request brings itself, or null if it brings none or does not say.</summary>
    public static string? NamespaceOf(ActionSettings? settings) =>
        settings?.Manifest is { ValueKind: JsonValueKind.Object } manifest
        && manifest.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object
        && metadata.TryGetProperty("namespace", out var name) && name.ValueKind == JsonValueKind.String
            ? name.GetString() : null;

    private static JobTemplate? ReadJob(FieldReader reader, string prefix, ActionSettings settings)
    {
        if (settings.Manifest is not { ValueKind: JsonValueKind.Object } manifest)
        {
            return null;
        }

        if (settings.Template is not null)
        {
            reader.Fail(prefix + "manifest", null, "nothing together with template: a job of the policy, or one of your own");
        }

        if (NamespaceOf(settings) is not { } name || !KubernetesName.IsLabel(name))
        {
            reader.Fail(prefix + "manifest.metadata.namespace", NamespaceOf(settings), "the namespace of the Job");
            return null;
        }

        var text = manifest.GetRawText();
        if (text.Length > LongestManifest)
        {
            reader.Fail(prefix + "manifest", null, $"at most {LongestManifest} characters of JSON, not {text.Length}");
        }

        var job = new JobTemplate(name, text);
        if (ActionPlanner.JobProblem(job) is { } problem)
        {
            reader.Fail(prefix + "manifest", null, $"a batch/v1 Job; {problem}");
        }

        return job;
    }

    private static IReadOnlyList<ActionStep> ReadHooks(FieldReader reader, string field, IReadOnlyList<HookAction>? hooks)
    {
        if (hooks is { Count: > MostHooks })
        {
            reader.Fail(field, hooks.Count.ToString(), $"at most {MostHooks} actions");
        }

        return
        [
            .. (hooks ?? []).Select((hook, index) =>
            {
                var kind = ReadKind(reader, $"{field}[{index}].kind", hook.Kind);
                return new ActionStep(kind, ReadOptions(reader, $"{field}[{index}].", hook, kind));
            }),
        ];
    }

    private static MaintenanceAction ReadKind(FieldReader reader, string field, string? kind)
    {
        if (kind is null)
        {
            reader.Fail(field, null, string.Join(", ", HookKinds));
        }

        return reader.Choice(field, kind, MaintenanceAction.Hold, HookKinds);
    }
}
