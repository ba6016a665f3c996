using System.CommandLine;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Verbs;

namespace Drydock.Cli;

/// <summary>All verbs, in the order the help lists them.</summary>
internal static class Commands
{
    /// <summary>The root command; nothing is done before it is invoked.</summary>
    public static RootCommand Root(Terminal terminal)
    {
        var root = new RootCommand(
            "Drydock maintains Kubernetes nodes, KubeVirt virtual machines included, as durable workflows: "
            + "a maintenance that was killed goes on from its last checkpoint with its original deadlines.")
        {
            DemoVerb.Create(terminal),
            PlanVerb.Create(terminal),
            MaintainVerb.Create(terminal),
            RestoreVerb.Create(terminal),
            SimulateVerb.Create(terminal),
            ServeVerb.Create(terminal),
            HubVerb.Create(terminal),
            StartVerb.Create(terminal),
            ListVerb.Create(terminal),
            ShowVerb.Create(terminal),
            WatchVerb.Create(terminal),
            CompleteVerb.Create(terminal),
            SteerVerbs.Suspend(terminal),
            SteerVerbs.Resume(terminal),
            SteerVerbs.Extend(terminal),
            DecisionVerbs.Approve(terminal),
            DecisionVerbs.Reject(terminal),
            CancelVerb.Create(terminal),
            HistoryVerb.Create(terminal),
            NodesVerb.Create(terminal),
            RolloutVerb.Create(terminal),
            WindowVerb.Create(terminal),
            CompletionVerb.Create(terminal),
            VmVerb.Create(terminal),
            VersionVerb.Create(terminal),
        };
        Program.Teach(root);
        return root;
    }
}
