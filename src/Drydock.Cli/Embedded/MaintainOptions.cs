using Drydock.Api;
using Drydock.Kubernetes;

namespace Drydock.Cli.Embedded;

/// <summary>What a person asked <c>maintain</c> for.</summary>
/// <param name="Request">The maintenance.</param>
/// <param name="Connection">The cluster.</param>
/// <param name="Command">The command line that goes on with it.</param>
internal sealed record MaintainOptions(MaintenanceCreate Request, ClusterConnection Connection, string Command)
{
    /// <summary>What to do.</summary>
    public MaintainWish Wish { get; init; }

    /// <summary>Show the plan and ask before anything is changed.</summary>
    public bool AskFirst { get; init; }

    /// <summary>Where the policies and the secrets are.</summary>
    public (string? Policies, string? Secrets) Files { get; init; }

    /// <summary>The node.</summary>
    public string Node => Request.Node!;
}

/// <summary>What to do with the maintenance of a node.</summary>
internal enum MaintainWish
{
    /// <summary>Begin it, or go on with it.</summary>
    Go,

    /// <summary>Only show the plan.</summary>
    PlanOnly,

    /// <summary>Let the held node go on.</summary>
    Complete,

    /// <summary>Stop it and put everything back.</summary>
    Cancel,
}
