using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>What the API server fills in of a webhook configuration. Source: k8s.io/kubernetes, pkg/apis/admissionregistration/v1/defaults.go.</summary>
internal static class WebhookDefaults
{
    public static void Complete(JsonObject configuration)
    {
        foreach (var webhook in configuration.Objects("webhooks"))
        {
            webhook.Default("failurePolicy", "Fail");
            webhook.Default("matchPolicy", "Equivalent");
            webhook.Default("namespaceSelector", new JsonObject());
            webhook.Default("objectSelector", new JsonObject());
            webhook.Default("timeoutSeconds", 10);
            (webhook.At("clientConfig", "service") as JsonObject)?.Default("port", 443);
            foreach (var rule in webhook.Objects("rules"))
            {
                rule.Default("scope", "*");
            }
        }
    }
}
