using Cronos;
using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;

namespace Drydock.Server;

/// <summary>Turns what a caller sent about rollouts and windows into what is persisted, or into everything that is wrong with it.</summary>
internal sealed class RolloutRequests(ICluster cluster, HubIdentity hub)
{
    private const int MostNodes = 1000;

    /// <summary>Reads a rollout.</summary>
    public async Task<Answer<RolloutRequest>> ReadAsync(RolloutCreate create, string requestedBy, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var request = await ReadAsync(reader, "", create, requestedBy, cancellationToken);
        return reader.Errors.Count == 0 ? request : Problems.Invalid(reader.Errors);
    }

    /// <summary>Reads a window.</summary>
    public async Task<Answer<WindowRequest>> ReadAsync(WindowCreate create, string requestedBy, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        if (create.Name is null || !KubernetesName.IsLabel(create.Name))
        {
            reader.Fail("name", create.Name, "lower-case letters, digits and '-', at most 63 characters");
        }

        if (create.Cron is null || !Calendar.TryParse(create.Cron, out _))
        {
            reader.Fail("cron", create.Cron, "a cron expression such as '0 22 * * 1-5'");
        }

        if (create.Duration is null)
        {
            reader.Fail("duration", null, DurationText.Allowed);
        }

        if (create.TimeZone is not null && !TimeZoneInfo.TryFindSystemTimeZoneById(create.TimeZone, out _))
        {
            reader.Fail("timeZone", create.TimeZone, "an IANA time zone such as Europe/Berlin");
        }

        if (create.Rollout is null)
        {
            reader.Fail("rollout", null, "what to start when the window opens");
        }

        var duration = reader.Duration("duration", create.Duration, TimeSpan.FromHours(1), TimeSpan.FromSeconds(1), TimeSpan.FromDays(7));
        var rollout = create.Rollout is null
            ? new RolloutRequest([])
            : await ReadAsync(reader, "rollout.", create.Rollout, requestedBy, cancellationToken);
        return reader.Errors.Count == 0
            ? new WindowRequest(create.Cron!, duration, rollout) { TimeZone = create.TimeZone ?? "UTC" }
            : Problems.Invalid(reader.Errors);
    }

    private async Task<RolloutRequest> ReadAsync(
        FieldReader reader, string prefix, RolloutCreate create, string requestedBy, CancellationToken cancellationToken)
    {
        var nodes = await ReadNodesAsync(reader, prefix, create, cancellationToken);
        var template = MaintenanceRequests.ReadSettings(reader, prefix + "maintenance.", create.Maintenance ?? new MaintenanceSettings(), "");
        var defaults = new RolloutRequest(nodes);
        return defaults with
        {
            MaxUnavailable = reader.Number(prefix + "maxUnavailable", create.MaxUnavailable, defaults.MaxUnavailable, 1, 100),
            FailureBudget = reader.Number(prefix + "failureBudget", create.FailureBudget, defaults.FailureBudget, 1, MostNodes),
            OnFailures = reader.Choice(
                prefix + "onFailures", create.OnFailures, defaults.OnFailures, RolloutFailurePolicy.Pause, RolloutFailurePolicy.Stop),
            Template = template with
            {
                HubId = hub.Id,
                RequestedBy = requestedBy,
                Reason = reader.Text(prefix + "reason", create.Reason, 1024) ?? template.Reason,
            },
        };
    }

    private async Task<IReadOnlyList<string>> ReadNodesAsync(
        FieldReader reader, string prefix, RolloutCreate create, CancellationToken cancellationToken)
    {
        if (create.Nodes is null == create.Selector is null)
        {
            reader.Fail(prefix + "nodes", null, "either 'nodes' or 'selector', and not both");
            return [];
        }

        var terms = create.Selector is null ? [] : LabelTerms.Parse(create.Selector);
        if (terms is null)
        {
            reader.Fail(prefix + "selector", create.Selector, "labels such as 'zone=a,node-role.kubernetes.io/worker'");
            return [];
        }

        if (create.Nodes is { } named
            && (named.Count is 0 or > MostNodes || named.Distinct(StringComparer.Ordinal).Count() != named.Count))
        {
            reader.Fail(prefix + "nodes", string.Join(", ", named.Take(20)), $"1 to {MostNodes} different nodes");
            return [];
        }

        var known = await cluster.ListNodesAsync(cancellationToken);
        return create.Selector is null
            ? CheckKnown(reader, prefix, create.Nodes ?? [], known)
            : Select(reader, prefix, create.Selector, terms, known);
    }

    private static IReadOnlyList<string> CheckKnown(
        FieldReader reader, string prefix, IReadOnlyList<string> nodes, IReadOnlyList<NodeSnapshot> known)
    {
        for (var i = 0; i < nodes.Count; i++)
        {
            if (known.All(node => node.Name != nodes[i]))
            {
                reader.Fail($"{prefix}nodes[{i}]", nodes[i], "the name of a node of the cluster");
            }
        }

        return nodes;
    }

    private static IReadOnlyList<string> Select(
        FieldReader reader, string prefix, string selector, IReadOnlyList<LabelRequirement> terms, IReadOnlyList<NodeSnapshot> known)
    {
        var nodes = known.Where(node => terms.All(term => term.Matches(node.Labels))).Select(static node => node.Name).ToList();
        if (nodes.Count is 0 or > MostNodes)
        {
            reader.Fail(prefix + "selector", selector, $"a selector that matches 1 to {MostNodes} nodes; this one matches {nodes.Count}");
        }

        return nodes;
    }
}

/// <summary>The terms of an equality-based label selector.</summary>
internal static class LabelTerms
{
    /// <summary>Reads <c>key</c>, <c>!key</c>, <c>key=value</c> and <c>key!=value</c>, joined by commas; null if it is something else.</summary>
    public static IReadOnlyList<LabelRequirement>? Parse(string text)
    {
        var terms = text.Split(',', StringSplitOptions.TrimEntries).Select(ParseTerm).ToList();
        return terms.Contains(null) ? null : [.. terms.OfType<LabelRequirement>()];
    }

    private static LabelRequirement? ParseTerm(string term)
    {
        var isNot = term.Contains("!=", StringComparison.Ordinal);
        var parts = term.Split(isNot ? "!=" : term.Contains("==", StringComparison.Ordinal) ? "==" : "=", 2);
        var key = parts[0].Trim();
        return parts.Length == 2
            ? IsKey(key) ? new LabelRequirement(key, isNot ? "NotIn" : "In", [parts[1].Trim()]) : null
            : key.StartsWith('!') && IsKey(key[1..]) ? new LabelRequirement(key[1..], "DoesNotExist", [])
            : IsKey(key) ? new LabelRequirement(key, "Exists", []) : null;
    }

    private static bool IsKey(string key) =>
        key.Length is > 0 and <= 317 && key.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/');
}

/// <summary>Cron expressions.</summary>
internal static class Calendar
{
    /// <summary>Reads five fields, or six with seconds.</summary>
    public static bool TryParse(string text, out CronExpression? cron)
    {
        var fields = text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
        return CronExpression.TryParse(text, fields == 6 ? CronFormat.IncludeSeconds : CronFormat.Standard, out cron);
    }

    /// <summary>The coming occurrences.</summary>
    public static IReadOnlyList<DateTimeOffset> Next(string text, string timeZone, DateTimeOffset from, int count)
    {
        var next = new List<DateTimeOffset>();
        if (!TryParse(text, out var cron) || !TimeZoneInfo.TryFindSystemTimeZoneById(timeZone, out var zone))
        {
            return next;
        }

        while (next.Count < count && cron!.GetNextOccurrence(from, zone) is { } at)
        {
            next.Add(at);
            from = at;
        }

        return next;
    }
}
