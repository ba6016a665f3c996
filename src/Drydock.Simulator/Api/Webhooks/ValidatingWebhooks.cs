using System.Text.Json.Nodes;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api.Webhooks;

/// <summary>
/// Calls the webhooks of ValidatingWebhookConfigurations, all that concern a write at once, and refuses the write as the API server does.
/// </summary>
/// <remarks>
/// Source: k8s.io/apiserver, pkg/admission/plugin/webhook. Not done: <c>matchConditions</c>; a webhook with some is refused when it is made.
/// </remarks>
internal sealed class ValidatingWebhooks(IObjectStore store, WebhookClient client, TimeProvider time, ILogger logger)
{
    /// <summary>Whether the webhooks of a configuration answer nobody: a fault.</summary>
    public Func<string, bool> Hangs { get; set; } = _ => false;

    /// <summary>Waits while others need not wait for the request that does.</summary>
    public required Func<TimeSpan, CancellationToken, Task> HoldBack { get; init; }

    private static readonly ResourceType _configurations = ResourceTypes.Of("validatingwebhookconfigurations.admissionregistration.k8s.io");

    /// <summary>Asks every webhook that the write concerns.</summary>
    /// <returns>Their warnings.</returns>
    /// <exception cref="ApiException">One refused, or could not be asked and its failurePolicy is Fail.</exception>
    public async Task<IReadOnlyList<string>> ReviewAsync(AdmissionAttributes write, CancellationToken cancellationToken)
    {
        // Nobody may lock himself out of mending a webhook.
        if (write.Served.Type.Group == _configurations.Group)
        {
            return [];
        }

        var calls = store.List(_configurations)
            .SelectMany(configuration => configuration.Objects("webhooks").Select(webhook => (Webhook: webhook, Of: configuration.NameOf())))
            .Select(each => (each.Webhook, each.Of, Version: WebhookMatch.VersionFor(each.Webhook, write, store)))
            .Where(each => each.Version is not null)
            .Select(each => AskAsync(each.Webhook, Hangs(each.Of), each.Version!, write, cancellationToken))
            .ToList();
        if (calls.Count == 0)
        {
            return [];
        }

        var verdicts = await Task.WhenAll(calls);

        return verdicts.Select(each => each.Refusal).FirstOrDefault(each => each is not null) is { } refusal
            ? throw refusal
            : [.. verdicts.SelectMany(each => each.Warnings)];
    }

    private async Task<Verdict> AskAsync(JsonObject webhook, bool hangs, string version, AdmissionAttributes write, CancellationToken cancellationToken)
    {
        var name = webhook.Text("name") ?? "";
        if (write.DryRun && webhook.Text("sideEffects") is not ("None" or "NoneOnDryRun"))
        {
            return new(Refusals.BadRequest($"admission webhook \"{name}\" does not support dry run"), []);
        }

        var seconds = webhook.Number("timeoutSeconds") ?? 10;
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(seconds), time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(deadline.Token, cancellationToken);
        try
        {
            if (hangs)
            {
                await HoldBack(TimeSpan.FromSeconds(seconds), cancellationToken);
                throw WebhookClient.Late(webhook["clientConfig"] as JsonObject ?? [], seconds);
            }

            var review = AdmissionReviews.Request(write, version, Guid.NewGuid().ToString());
            var answer = await client.PostAsync(webhook["clientConfig"] as JsonObject ?? [], seconds, review, both.Token);

            return AdmissionReviews.Read(name, review, answer);
        }
        catch (WebhookFailedException failure)
        {
            logger.LogWarning("Failed calling webhook {Webhook}: {Reason}", name, failure.Message);

            return webhook.Text("failurePolicy") == "Ignore"
                ? new(null, [])
                : new(Uncalled(name, failure.Message), []);
        }
    }

    private static ApiException Uncalled(string webhook, string why)
    {
        var message = $"failed calling webhook \"{webhook}\": {why}";

        return new(500, "InternalError", $"Internal error occurred: {message}")
        {
            Details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["message"] = message }) },
        };
    }
}

/// <summary>What one webhook said.</summary>
/// <param name="Refusal">The answer for the client, or null if it allowed the write.</param>
/// <param name="Warnings">What it wants the client to be told.</param>
internal sealed record Verdict(ApiException? Refusal, IReadOnlyList<string> Warnings);
