namespace Drydock.Simulator.Scenarios;

/// <summary>What the target of a fault is.</summary>
internal enum FaultTarget
{
    /// <summary>A node.</summary>
    Node,

    /// <summary>A node with a BareMetalHost.</summary>
    Host,

    /// <summary>NAMESPACE/NAME of a disruption budget.</summary>
    Budget,

    /// <summary>NAMESPACE/NAME of a virtual machine.</summary>
    Machine,

    /// <summary>NAMESPACE/NAME of a workload.</summary>
    Workload,

    /// <summary>A ValidatingWebhookConfiguration, there or still to come.</summary>
    Webhook,

    /// <summary>The whole cluster: the field is <c>true</c>.</summary>
    Cluster,

    /// <summary>Requests, as <c>VERB RESOURCE</c>, <c>VERB RESOURCE/SUBRESOURCE</c> or <c>all</c>.</summary>
    Requests,
}

/// <summary>Reads faults, of a scenario file or of the page on which they are made at run time.</summary>
internal static class FaultReader
{
    private static readonly Dictionary<string, FaultTarget> Kinds = new()
    {
        ["budgetFrees"] = FaultTarget.Budget,
        ["budgetNeverFrees"] = FaultTarget.Budget,
        ["nodeNotReady"] = FaultTarget.Node,
        ["kubeletDies"] = FaultTarget.Node,
        ["kubeletNeverTerminates"] = FaultTarget.Node,
        ["powerFails"] = FaultTarget.Host,
        ["powerButton"] = FaultTarget.Node,
        ["finalizerStays"] = FaultTarget.Workload,
        ["vmiStaysPending"] = FaultTarget.Machine,
        ["migrationsUnschedulable"] = FaultTarget.Machine,
        ["migrationsFail"] = FaultTarget.Machine,
        ["migrationsSlow"] = FaultTarget.Machine,
        ["migrationsStall"] = FaultTarget.Machine,
        ["webhookHangs"] = FaultTarget.Webhook,
        ["virtApiDown"] = FaultTarget.Cluster,
        ["virtApiHangs"] = FaultTarget.Cluster,
        ["apiServerRestarts"] = FaultTarget.Cluster,
        ["watchesDrop"] = FaultTarget.Cluster,
        ["watchesExpire"] = FaultTarget.Cluster,
        ["requests"] = FaultTarget.Requests,
    };

    private static readonly string[] Verbs = ["all", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

    /// <summary>What requests may be answered with.</summary>
    public static IReadOnlyList<string> Answers { get; } = ["409", "410", "429", "500", "503", "504", "reset", "resetAfter"];

    /// <summary>All kinds.</summary>
    public static IReadOnlyCollection<string> Names => Kinds.Keys;

    /// <summary>What faults of a kind happen to.</summary>
    public static FaultTarget TargetOf(string kind) => Kinds[kind];

    /// <summary>Reads the fields of one fault.</summary>
    public static FaultSpec Read(YamlFields fields)
    {
        var kind = Kinds.Keys.FirstOrDefault(each => fields.Text(each) is not null)
            ?? throw fields.Missing($"A fault has one of the fields {string.Join(", ", Kinds.Keys)}, with what it happens to.");
        var fault = new FaultSpec(kind, Target(fields, kind))
        {
            Since = fields.Enum<FaultStart>("since") ?? FaultStart.Start,
            After = fields.Duration("after") ?? TimeSpan.Zero,
            For = fields.Duration("for"),
        };
        return kind switch
        {
            "requests" => ReadAnswer(fields, fault),
            "migrationsSlow" => fault with { Takes = fields.Duration("takes") ?? fault.Takes },
            "watchesDrop" or "watchesExpire" or "apiServerRestarts" => fault with { Every = fields.Duration("every") },
            _ => fault,
        };
    }

    private static FaultSpec ReadAnswer(YamlFields fields, FaultSpec fault)
    {
        var share = fields.Int("share") ?? fault.Share;
        return share is < 1 or > 100
            ? throw fields.Refusal("share", "a percentage from 1 to 100")
            : fault with
            {
                Answer = fields.OneOf("answer", [.. Answers]),
                RetryAfter = fields.Int("retryAfter"),
                Latency = fields.Duration("latency") ?? TimeSpan.Zero,
                Jitter = fields.Duration("jitter") ?? TimeSpan.Zero,
                Share = share,
                Count = fields.Int("count"),
            };
    }

    private static string Target(YamlFields fields, string kind)
    {
        switch (Kinds[kind])
        {
            case FaultTarget.Node or FaultTarget.Host or FaultTarget.Webhook:
                return fields.Required(kind);
            case FaultTarget.Cluster:
                return fields.OneOf(kind, "true")!;
            case FaultTarget.Requests:
                var words = fields.Required(kind).Split(' ', StringSplitOptions.RemoveEmptyEntries);
                return words.Length is 1 or 2 && Verbs.Contains(words[0])
                    ? string.Join(' ', words)
                    : throw fields.Refusal(kind, $"VERB or VERB RESOURCE, such as create pods/eviction; the verb is one of {string.Join(", ", Verbs)}");
            default:
                var (space, name) = fields.Reference(kind);
                return $"{space}/{name}";
        }
    }
}
