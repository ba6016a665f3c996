using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>nodes</c>: the nodes of a server's cluster, and who holds them.</summary>
internal static class NodesVerb
{
    public static Command Create(Terminal terminal)
    {
        var verb = new Verb("nodes", "List the nodes with their state, lease and the maintenance under way.", "drydock nodes", "drydock nodes -o json");
        return ServerVerb.Create(terminal, verb, static async (call, cancellationToken) =>
        {
            var items = new List<NodeView>();
            string? after = null;
            do
            {
                var page = await call.Client.ListNodesAsync(after, cancellationToken);
                items.AddRange(page.Items);
                after = page.Next;
            }
            while (after is not null);

            call.Output.Document(new NodeList(items, null), Columns.Align("", [["NODE", "STATE", "KUBELET", "MAINTENANCE", "LEASE"], .. items.Select(Row)]));
            return ExitCodes.Done;
        });
    }

    private static string[] Row(NodeView node) =>
    [
        node.Name,
        $"{(node.IsReady ? "Ready" : "NotReady")}{(node.IsCordoned ? ",cordoned" : "")}",
        node.KubeletVersion ?? "",
        node.MaintenanceId is { } id ? $"{id} ({node.MaintenanceState})" : node.HeldBy is { } holder ? $"held by {holder}" : "",
        node.Lease is { } lease ? $"{lease.Holder}{(lease.IsExpired ? " (lapsed)" : "")}" : "",
    ];
}
