using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Server;

/// <summary>Turns what a caller sent about a rollout into what is persisted, or into everything that is wrong with it.</summary>
internal sealed class RolloutRequests(ICluster cluster, HubIdentity hub)
{
    private const int MostNodes = 1000;
    private static readonly TimeSpan Day = TimeSpan.FromDays(1);

    /// <summary>Reads a rollout that begins now: it must be about at least one node, unless that is said to be no matter.</summary>
    public async Task<Answer<RolloutRequest>> ReadAsync(RolloutCreate create, Requester requestedBy, bool mustExist, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var request = await ReadAsync(reader, "", create, requestedBy, mustExist ? NodeCheck.All : NodeCheck.None, cancellationToken);
        return reader.Errors.Count == 0 ? request : Problems.Invalid(reader.Errors);
    }

    /// <summary>Reads a rollout; errors go to the reader, with the prefix before each field.</summary>
    /// <param name="reader">Gathers the errors.</param>
    /// <param name="prefix">Stands before the name of each field.</param>
    /// <param name="create">What was sent.</param>
    /// <param name="requestedBy">Who asks.</param>
    /// <param name="check">Which nodes must be there now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<RolloutRequest> ReadAsync(
        FieldReader reader, string prefix, RolloutCreate create, Requester requestedBy, NodeCheck check, CancellationToken cancellationToken)
    {
        var before = reader.Errors.Count;
        var chosen = ReadChoice(reader, prefix, create);
        if (reader.Errors.Count == before && check != NodeCheck.None)
        {
            await CheckNodesAsync(reader, prefix, chosen, check, cancellationToken);
        }

        var template = MaintenanceRequests.ReadSettings(reader, prefix + "maintenance.", create.Maintenance ?? new MaintenanceSettings(), "");
        return ReadLimits(reader, prefix, create, chosen) with
        {
            FailureBudget = reader.Number(prefix + "failureBudget", create.FailureBudget, chosen.FailureBudget, 1, MostNodes),
            OnFailures = reader.Choice(
                prefix + "onFailures", create.OnFailures, chosen.OnFailures, RolloutFailurePolicy.Pause, RolloutFailurePolicy.Stop),
            Template = template with
            {
                HubId = hub.Id,
                RequestedBy = requestedBy.Name,
                RequestedFrom = requestedBy.Address,
                Reason = reader.Reason(prefix + "reason", create.Reason) ?? template.Reason,
            },
        };
    }

    private static RolloutRequest ReadLimits(FieldReader reader, string prefix, RolloutCreate create, RolloutRequest defaults)
    {
        if (create is { MaxUnavailable: not null, MaxUnavailablePercent: not null })
        {
            reader.Fail(prefix + "maxUnavailablePercent", $"{create.MaxUnavailablePercent}", "either this or 'maxUnavailable', and not both");
        }

        return defaults with
        {
            MaxUnavailable = reader.Number(prefix + "maxUnavailable", create.MaxUnavailable, defaults.MaxUnavailable, 1, 100),
            MaxUnavailablePercent = create.MaxUnavailablePercent is { } percent ? reader.Number(prefix + "maxUnavailablePercent", percent, 1, 1, 100) : null,
            Zones = ReadZones(reader, prefix + "zones", create.Zones),
            MaxPerZone = create.MaxPerZone is { } most ? reader.Number(prefix + "maxPerZone", most, 1, 1, 100) : null,
            ZoneLabel = ReadKey(reader, prefix + "zoneLabel", create.ZoneLabel) ?? defaults.ZoneLabel,
            Canary = reader.Number(prefix + "canary", create.Canary, 0, 0, MostNodes),
            Soak = reader.Duration(prefix + "soak", create.Soak, TimeSpan.Zero, TimeSpan.Zero, 7 * Day),
            PauseBetween = reader.Duration(prefix + "pauseBetween", create.PauseBetween, TimeSpan.Zero, TimeSpan.Zero, Day),
            Order = reader.Choice(prefix + "order", create.Order, defaults.Order, RolloutOrder.AsGiven, RolloutOrder.Name, RolloutOrder.Load),
            ExpectedPerNode = reader.OptionalDuration(prefix + "expectedPerNode", create.ExpectedPerNode, TimeSpan.FromSeconds(1), 7 * Day),
        };
    }

    /// <summary>Which nodes: by name, by label, by the version of the kubelet.</summary>
    private static RolloutRequest ReadChoice(FieldReader reader, string prefix, RolloutCreate create)
    {
        if (create is { Nodes: null, Selector: null, KubeletBelow: null } or { Nodes: not null, Selector: not null })
        {
            reader.Fail(prefix + "nodes", null, "either 'nodes', 'selector' or 'kubeletBelow', and not both of the first two");
        }

        if (create.Selector is { } selector && LabelTerms.Parse(selector) is null)
        {
            reader.Fail(prefix + "selector", selector, "labels such as 'zone=a,node-role.kubernetes.io/worker,tier in (front,back)'");
        }

        if (create.KubeletBelow is { } version && NodeSelection.ReadVersion(version) is null)
        {
            reader.Fail(prefix + "kubeletBelow", version, "a version such as v1.33.0");
        }

        if (create.Nodes is { } named
            && (named.Count is 0 or > MostNodes || named.Distinct(StringComparer.Ordinal).Count() != named.Count))
        {
            reader.Fail(prefix + "nodes", string.Join(", ", named.Take(20)), $"1 to {MostNodes} different nodes");
        }

        return new RolloutRequest(create.Nodes ?? []) { Selector = create.Selector, KubeletBelow = create.KubeletBelow };
    }

    private async Task CheckNodesAsync(
        FieldReader reader, string prefix, RolloutRequest request, NodeCheck check, CancellationToken cancellationToken)
    {
        var known = await cluster.ListNodesAsync(cancellationToken);
        for (var i = 0; i < request.Nodes.Count; i++)
        {
            if (known.All(node => node.Name != request.Nodes[i]))
            {
                reader.Fail($"{prefix}nodes[{i}]", request.Nodes[i], "the name of a node of the cluster");
            }
        }

        var selected = NodeSelection.Select(known, request.Nodes, request.Selector, request.KubeletBelow).Count;
        if (check == NodeCheck.All && request.Nodes.Count == 0 && selected is 0 or > MostNodes)
        {
            var (field, value) = request.Selector is null ? ("kubeletBelow", request.KubeletBelow) : ("selector", request.Selector);
            reader.Fail(prefix + field, value, $"what selects 1 to {MostNodes} nodes; this selects {selected}");
        }
    }

    private static IReadOnlyList<string> ReadZones(FieldReader reader, string field, IReadOnlyList<string>? zones)
    {
        if (zones is { Count: > 100 } || zones?.Distinct(StringComparer.Ordinal).Count() != zones?.Count)
        {
            reader.Fail(field, string.Join(", ", zones!.Take(20)), "at most 100 different zones");
        }

        return [.. (zones ?? []).Select((zone, i) => reader.Text($"{field}[{i}]", zone, 63)).OfType<string>()];
    }

    private static string? ReadKey(FieldReader reader, string field, string? key)
    {
        if (key is not null && LabelTerms.Parse(key) is not [{ Operator: "Exists" }])
        {
            reader.Fail(field, key, "the name of a label, such as topology.kubernetes.io/zone");
        }

        return key;
    }
}

/// <summary>Which nodes of a rollout must be there when it is read.</summary>
internal enum NodeCheck
{
    /// <summary>Those that it names, or one at least that it selects.</summary>
    All,

    /// <summary>Those that it names; what it selects is looked up later.</summary>
    Named,

    /// <summary>None: it is under way, and tells itself which of its nodes are gone.</summary>
    None,
}
