using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Drydock.Server.Rest;

/// <summary>The resource <c>nodes</c>: read only.</summary>
internal static class NodeEndpoints
{
    public static void MapNodes(this IEndpointRouteBuilder api)
    {
        var nodes = api.MapGroup("/nodes").WithTags("Nodes");
        nodes.MapGet("/", ListAsync).Needs(Permissions.ListNodes).WithName("ListNodes")
            .WithSummary("One page of nodes by name, with state, lease and the maintenance under way.")
            .WithDescription("`cordoned` and `maintained` (true or false) choose among them; `limit` is 1 to 500, 50 unless said otherwise.");
        nodes.MapGet("/{name}", GetAsync).Needs(Permissions.GetNode).WithName("GetNode").WithSummary("One node, with state, lease and the maintenance under way.");
    }

    private static async Task<Results<Ok<NodeList>, ProblemResult>> ListAsync(
        string? cordoned, string? maintained, string? limit, string? after, Nodes nodes, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var (isCordoned, isMaintained) = (reader.Flag("cordoned", cordoned), reader.Flag("maintained", maintained));
        if (reader.Errors.Count > 0)
        {
            return new ProblemResult(Problems.Invalid(reader.Errors));
        }

        var all = (await nodes.ListAsync(cancellationToken))
            .Where(node => isCordoned is null || node.Unschedulable == isCordoned)
            .Where(node => isMaintained is null || node.Mark is not null == isMaintained).ToList();
        var (page, next, problem) = Paging.Page(all, static node => node.Name, limit, after, Paging.ByKey<NodeSnapshot>(static node => node.Name));
        return problem is null ? TypedResults.Ok(new NodeList(await nodes.ViewAsync(page, cancellationToken), next)) : new ProblemResult(problem);
    }

    private static async Task<Results<Ok<NodeView>, ProblemResult>> GetAsync(string name, Nodes nodes, CancellationToken cancellationToken) =>
        await nodes.FindAsync(name, cancellationToken) is { } view ? TypedResults.Ok(view) : new ProblemResult(Problems.NotFound("node", name));
}
