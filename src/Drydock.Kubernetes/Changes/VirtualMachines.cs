using System.Text.Json.Nodes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Changes;

/// <summary>What we change on virtual machines, and KubeVirt's own calls.</summary>
internal sealed class VirtualMachines(ApiClient api)
{
    public Task<VmSnapshot?> MarkAsync(VmSnapshot vm, HoldMark? mark, CancellationToken cancellationToken)
    {
        var annotations = NodePatch.Strings(NodePatch.MarkAnnotations(mark));
        return PatchAsync(vm, new JsonObject { ["metadata"] = new JsonObject { ["annotations"] = annotations } }, cancellationToken);
    }

    public Task<VmSnapshot?> SetRunStrategyAsync(VmSnapshot vm, string runStrategy, CancellationToken cancellationToken)
    {
        // KubeVirt refuses running beside runStrategy; both in one patch switch over.
        var spec = new JsonObject { ["runStrategy"] = runStrategy };
        if (vm.Running is not null)
        {
            spec["running"] = null;
        }

        return PatchAsync(vm, new JsonObject { ["spec"] = spec }, cancellationToken);
    }

    public Task<VmCallOutcome> CallAsync(ObjectRef vm, VmCall call, TimeSpan? gracePeriod, CancellationToken cancellationToken) =>
        CallAsync(vm, call, Options(call, gracePeriod), cancellationToken);

    public Task<VmCallOutcome> MigrateAsync(
        ObjectRef vm, IReadOnlyDictionary<string, string> addedNodeSelector, CancellationToken cancellationToken)
    {
        var labels = new JsonObject(addedNodeSelector.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value)));
        return CallAsync(vm, VmCall.Migrate, new JsonObject { ["addedNodeSelector"] = labels }, cancellationToken);
    }

    private async Task<VmCallOutcome> CallAsync(ObjectRef vm, VmCall call, JsonObject? options, CancellationToken cancellationToken)
    {
        var answer = await api.SendAsync(
            new ApiCall("update", Resource.VmCalls)
            {
                Namespace = vm.Namespace,
                Name = vm.Name,
                Subresource = call.ToString().ToLowerInvariant(),
                Body = options?.ToJsonString(),
            },
            cancellationToken);

        // 503 is virt-api being down, not KubeVirt's answer; 401 and 403 concern us, not the machine.
        return answer.Code is 401 or 403 or 429 or 502 or 503 or 504
            ? throw ApiErrors.From(answer)
            : new VmCallOutcome(answer.IsSuccess, answer.Code, answer.IsSuccess ? null : answer.Message);
    }

    public async Task<VmCallOutcome> CancelEvacuationAsync(VmiSnapshot vmi, CancellationToken cancellationToken)
    {
        var found = await api.GetAsync(Resource.Vmis, vmi.Ref.Namespace, vmi.Ref.Name, cancellationToken);
        if (found is not { } json || json.Uid() != vmi.Uid || KubeVirtSnapshots.Vmi(json).EvacuationNode is not { } node)
        {
            return new VmCallOutcome(true, 200, null);
        }

        // The node must be named: KubeVirt tests it against the mark and answers 500 if it differs.
        var answer = await api.SendAsync(
            new ApiCall("update", Resource.VmiCalls)
            {
                Namespace = vmi.Ref.Namespace,
                Name = vmi.Ref.Name,
                Subresource = "evacuate/cancel",
                Body = new JsonObject { ["evacuationNodeName"] = node }.ToJsonString(),
            },
            cancellationToken);
        return answer.Code switch
        {
            // A Status speaks of the instance, which is gone; a plain text of the path, which an older KubeVirt does not know.
            404 when answer.IsStatus && !answer.Message.Contains("requested resource", StringComparison.Ordinal) => new VmCallOutcome(true, answer.Code, null),
            400 or 404 or 405 => new VmCallOutcome(false, answer.Code, answer.Message),
            _ => answer.IsSuccess ? new VmCallOutcome(true, answer.Code, null) : throw ApiErrors.From(answer),
        };
    }

    public Task DeleteMigrationAsync(ObjectRef migration, string uid, CancellationToken cancellationToken) =>
        DeleteAsync(Resource.Migrations, migration, uid, cancellationToken);

    public Task DeleteVmiAsync(ObjectRef vmi, string uid, CancellationToken cancellationToken) =>
        DeleteAsync(Resource.Vmis, vmi, uid, cancellationToken);

    private async Task DeleteAsync(Resource resource, ObjectRef name, string uid, CancellationToken cancellationToken)
    {
        var options = new JsonObject { ["preconditions"] = new JsonObject { ["uid"] = uid } };
        var answer = await api.SendAsync(
            new ApiCall("delete", resource) { Namespace = name.Namespace, Name = name.Name, Body = options.ToJsonString() },
            cancellationToken);

        // 409: another object has the name by now, so this one is gone.
        if (!answer.IsSuccess && answer.Code is not (404 or 409))
        {
            throw ApiErrors.From(answer);
        }
    }

    private static JsonObject? Options(VmCall call, TimeSpan? gracePeriod)
    {
        if (gracePeriod is not { } grace)
        {
            return null;
        }

        var seconds = (long)Math.Ceiling(grace.TotalSeconds);
        return call switch
        {
            VmCall.Stop => new JsonObject { ["gracePeriod"] = seconds },

            // KubeVirt accepts no other value than zero here.
            VmCall.Restart when seconds == 0 => new JsonObject { ["gracePeriodSeconds"] = 0 },
            _ => null,
        };
    }

    private async Task<VmSnapshot?> PatchAsync(VmSnapshot vm, JsonObject patch, CancellationToken cancellationToken)
    {
        if (patch["metadata"] is not JsonObject metadata)
        {
            patch["metadata"] = metadata = [];
        }

        metadata["resourceVersion"] = vm.ResourceVersion;
        var answer = await api.SendAsync(
            new ApiCall("patch", Resource.Vms) { Namespace = vm.Ref.Namespace, Name = vm.Ref.Name, Body = patch.ToJsonString() },
            cancellationToken);
        return answer.Code == 409 ? null : answer.IsSuccess ? KubeVirtSnapshots.Vm(answer.Body) : throw ApiErrors.From(answer);
    }
}
