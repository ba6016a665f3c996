using Drydock.Api;
using Drydock.Kubernetes;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace Drydock.Server.Rest;

/// <summary>The resource <c>vms</c>: the virtual machines of the cluster, and what KubeVirt can do with one.</summary>
internal static class VirtualMachineEndpoints
{
    public static void MapVirtualMachines(this IEndpointRouteBuilder api)
    {
        var vms = api.MapGroup("/vms").WithTags("Virtual machines").WithVersions(["ns", "name"], static async (context, names, cancellationToken) =>
            (await context.RequestServices.GetRequiredService<VirtualMachines>().FindAsync(names[0], names[1], cancellationToken)).Value);
        vms.MapGet("/", ListAsync).Needs(Permissions.ListVms).WithName("ListVms").WithSummary("One page of the virtual machines of the cluster, by namespace and name.")
            .WithDescription("`namespace` and `node` choose among them; `limit` is 1 to 500, 50 unless said otherwise.");
        vms.MapGet("/{ns}/{name}", GetAsync).Needs(Permissions.GetVm).WithName("GetVm").WithSummary("One virtual machine as it stands.");
        Map(vms, VmCall.Start, Permissions.StartVm, "Start it. One that runs is left alone.");
        Map(vms, VmCall.Stop, Permissions.StopVm, "Stop it. One that is stopped is left alone; one that a maintenance stopped is refused.");
        Map(vms, VmCall.Restart, Permissions.RestartVm, "Restart it.");
        Map(vms, VmCall.Migrate, Permissions.MoveVm, "Migrate it to another node without a stop. One that migrates is left alone.");
    }

    private static void Map(RouteGroupBuilder vms, VmCall call, Permission permission, string summary) => vms.MapPost(
        $"/{{ns}}/{{name}}:{call.ToString().ToLowerInvariant()}",
        (string ns, string name, Body<VirtualMachineCall> body, [FromHeader(Name = DrydockApiClient.IdempotencyKeyHeader)] string? idempotencyKey, HttpContext context, VirtualMachines machines, CancellationToken cancellationToken) =>
            CallAsync(ns, name, call, body, idempotencyKey, context, machines, cancellationToken))
        .Needs(permission).WithName($"{call}Vm").WithSummary(summary);

    private static async Task<Results<Ok<VirtualMachineList>, ProblemResult>> ListAsync(
        string? @namespace, string? node, string? limit, string? after, VirtualMachines machines, CancellationToken cancellationToken)
    {
        var (page, next, problem) = Paging.Page(
            await machines.ListAsync(@namespace, node, cancellationToken), static vm => $"{vm.Namespace}/{vm.Name}", limit, after,
            Paging.ByKey<VirtualMachineView>(static vm => $"{vm.Namespace}/{vm.Name}"));
        return problem is null ? TypedResults.Ok(new VirtualMachineList(page, next)) : new ProblemResult(problem);
    }

    private static async Task<Results<Ok<VirtualMachineView>, ProblemResult>> GetAsync(
        string ns, string name, VirtualMachines machines, CancellationToken cancellationToken)
    {
        var answer = await machines.FindAsync(ns, name, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }

    private static async Task<Results<Ok<VirtualMachineCallView>, ProblemResult>> CallAsync(
        string ns, string name, VmCall call, Body<VirtualMachineCall> body, string? idempotencyKey, HttpContext context, VirtualMachines machines, CancellationToken cancellationToken)
    {
        if (body.Problem is { } malformed)
        {
            return new ProblemResult(malformed);
        }

        var answer = await machines.CallAsync(ns, name, call, body.Value, Caller.From(context), idempotencyKey, cancellationToken);
        return answer.IsOk ? TypedResults.Ok(answer.Value) : new ProblemResult(answer.Problem);
    }
}
