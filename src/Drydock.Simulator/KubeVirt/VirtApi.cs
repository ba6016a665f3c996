using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.KubeVirt;

/// <summary>
/// Stands between the API server and virt-api, which may be down (faults <c>virtApiDown</c>, <c>virtApiHangs</c>): then every call to its
/// webhooks and subresources fails as recorded, at once or after the webhooks' ten seconds.
/// </summary>
internal sealed class VirtApi(Func<string, bool> isBroken)
{
    private static readonly TimeSpan WebhookTimeout = TimeSpan.FromSeconds(10);

    public IObjectAdmission Guard(IObjectAdmission admission) => new Objects(this, admission);

    public IEvictionAdmission Guard(IEvictionAdmission admission) => new Evictions(this, admission);

    public IAggregatedApi Guard(IAggregatedApi api) => new Calls(this, api);

    private string? Failure() => isBroken("virtApiDown") ? "dial tcp 127.0.0.2:443: connect: connection refused"
        : isBroken("virtApiHangs") ? "context deadline exceeded"
        : null;

    private TimeSpan HeldBack() => isBroken("virtApiHangs") && !isBroken("virtApiDown") ? WebhookTimeout : TimeSpan.Zero;

    private void CallWebhook(string webhook, string path)
    {
        if (Failure() is not { } failure)
        {
            return;
        }

        var message = $"failed calling webhook \"{webhook}\": failed to call webhook: Post \"https://virt-api.kubevirt.svc:443/{path}?timeout=10s\": {failure}";
        throw new ApiException(500, "InternalError", $"Internal error occurred: {message}")
        {
            Details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) },
            HeldBack = HeldBack(),
        };
    }

    private sealed class Objects(VirtApi api, IObjectAdmission inner) : IObjectAdmission
    {
        public bool Covers(ResourceType type) => inner.Covers(type);

        public void Review(ResourceType type, JsonObject @object, JsonObject? before, bool dryRun)
        {
            api.CallWebhook($"{type.Plural}-mutator.kubevirt.io", $"{type.Plural}-mutate");
            inner.Review(type, @object, before, dryRun);
        }
    }

    // The webhook's match conditions let every other pod pass without a call.
    private sealed class Evictions(VirtApi api, IEvictionAdmission inner) : IEvictionAdmission
    {
        public void Review(EvictionReview review)
        {
            if (review.Pod.NameOf().StartsWith("virt-launcher", StringComparison.Ordinal))
            {
                api.CallWebhook("virt-launcher-eviction-interceptor.kubevirt.io", "pod-eviction-validate");
            }
            else if (review.Pod.NameOf().StartsWith("hp-volume-", StringComparison.Ordinal))
            {
                api.CallWebhook("hotplug-pod-eviction-interceptor.kubevirt.io", "pod-eviction-validate");
            }

            inner.Review(review);
        }
    }

    private sealed class Calls(VirtApi api, IAggregatedApi inner) : IAggregatedApi
    {
        public string Group => inner.Group;

        public IReadOnlyList<string> Versions => inner.Versions;

        public SubresourceAnswer Call(SubresourceCall call) => api.Failure() is { } failure
            ? throw new ApiException(503, null, $"error trying to reach service: {failure}") { IsPlainText = true, HeldBack = api.HeldBack() }
            : inner.Call(call);
    }
}
