using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>Fills in what the API server fills in when an object is created or put. Doing it twice changes nothing.</summary>
public static class ObjectDefaults
{
    /// <summary>Completes an object in place.</summary>
    public static void Complete(ResourceType type, JsonObject @object)
    {
        // First and in this order: lists of built-in types cut them off again (see Wire.List).
        @object.Remove("apiVersion");
        @object.Remove("kind");
        @object.Insert(0, "apiVersion", type.ApiVersion);
        @object.Insert(1, "kind", type.Kind);
        RemoveEmptyMaps(@object.Child("metadata"));
        if (type.IsCustom)
        {
            return;
        }

        // Lists of conditions and the like are optional in a status, the status itself is not.
        if (type.HasStatus)
        {
            @object.Default("status", new JsonObject());
        }

        if (_rules.TryGetValue(type.GroupResource, out var rule))
        {
            rule(@object);
        }
    }

    private static readonly Dictionary<string, Action<JsonObject>> _rules = new()
    {
        ["pods"] = static pod => PodDefaults.CompletePod(pod),
        ["nodes"] = CompleteNode,
        ["namespaces"] = CompleteNamespace,
        ["events"] = CompleteEvent,
        ["secrets"] = static secret => CompleteSecret(secret),
        ["services"] = CompleteService,
        ["deployments.apps"] = CompleteDeployment,
        ["replicasets.apps"] = CompleteReplicaSet,
        ["replicationcontrollers"] = CompleteReplicaSet,
        ["statefulsets.apps"] = CompleteStatefulSet,
        ["daemonsets.apps"] = CompleteDaemonSet,
        ["jobs.batch"] = static job => CompleteJob(job.Child("spec"), job),
        ["cronjobs.batch"] = CompleteCronJob,
        ["customresourcedefinitions.apiextensions.k8s.io"] = CompleteDefinition,
        ["poddisruptionbudgets.policy"] = CompleteBudget,
        ["validatingwebhookconfigurations.admissionregistration.k8s.io"] = WebhookDefaults.Complete,
        ["mutatingwebhookconfigurations.admissionregistration.k8s.io"] = WebhookDefaults.Complete,
        ["priorityclasses.scheduling.k8s.io"] = static c => c.Default("preemptionPolicy", "PreemptLowerPriority"),
    };

    private static void RemoveEmptyMaps(JsonObject metadata)
    {
        foreach (var field in (string[])["labels", "annotations", "finalizers", "ownerReferences", "managedFields"])
        {
            if (metadata.ContainsKey(field) && metadata[field] is null or JsonObject { Count: 0 } or JsonArray { Count: 0 })
            {
                metadata.Remove(field);
            }
        }
    }

    private static void CompleteNode(JsonObject node)
    {
        var spec = node.Child("spec");
        // Written with "omitempty": false and empty are not there.
        if (spec.ContainsKey("unschedulable") && !spec.Flag("unschedulable"))
        {
            spec.Remove("unschedulable");
        }

        if (spec.ContainsKey("taints") && spec["taints"] is null or JsonArray { Count: 0 })
        {
            spec.Remove("taints");
        }

        var status = node.Child("status");
        if (status["allocatable"] is null && status["capacity"] is { } capacity)
        {
            status["allocatable"] = capacity.DeepClone();
        }

        status.Default("daemonEndpoints", new JsonObject { ["kubeletEndpoint"] = new JsonObject { ["Port"] = 0 } });
        var info = status.Child("nodeInfo");
        foreach (var field in (string[])["machineID", "systemUUID", "bootID", "kernelVersion", "osImage", "containerRuntimeVersion",
                     "kubeletVersion", "kubeProxyVersion", "operatingSystem", "architecture"])
        {
            info.Default(field, "");
        }
    }

    private static void CompleteNamespace(JsonObject @namespace)
    {
        @namespace.Child("metadata").Child("labels")["kubernetes.io/metadata.name"] = @namespace.NameOf();
        @namespace.Child("status").Default("phase", "Active");
        if (@namespace.At("metadata", "deletionTimestamp") is null)
        {
            @namespace.Child("spec").Default("finalizers", new JsonArray("kubernetes"));
        }
    }

    private static void CompleteEvent(JsonObject @event)
    {
        foreach (var field in (string[])["eventTime", "firstTimestamp", "lastTimestamp"])
        {
            if (!@event.ContainsKey(field))
            {
                @event[field] = null;
            }
        }

        @event.Default("source", new JsonObject());
        @event.Default("reportingComponent", "");
        @event.Default("reportingInstance", "");
    }

    private static void CompleteSecret(JsonObject secret)
    {
        secret.Default("type", "Opaque");
        if (secret["stringData"] is JsonObject texts)
        {
            foreach (var (key, value) in texts)
            {
                secret.Child("data")[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes((string?)value ?? ""));
            }

            secret.Remove("stringData");
        }
    }

    private static void CompleteService(JsonObject service)
    {
        var spec = service.Child("spec");
        spec.Default("type", "ClusterIP");
        spec.Default("sessionAffinity", "None");
        foreach (var port in spec.Objects("ports"))
        {
            port.Default("protocol", "TCP");
            if (port["port"] is { } number)
            {
                port.Default("targetPort", number.DeepClone());
            }
        }

        service.Child("status").Default("loadBalancer", new JsonObject());
    }

    private static void CompleteTemplate(JsonObject spec)
    {
        var template = spec.Child("template");
        template.Child("metadata");
        PodDefaults.CompleteSpec(template.Child("spec"));
    }

    private static void CompleteDeployment(JsonObject deployment)
    {
        var spec = deployment.Child("spec");
        spec.Default("replicas", 1);
        CompleteTemplate(spec);
        var strategy = spec.Child("strategy");
        strategy.Default("type", "RollingUpdate");
        if (strategy.Text("type") == "RollingUpdate")
        {
            strategy.Child("rollingUpdate").Default("maxUnavailable", "25%");
            strategy.Child("rollingUpdate").Default("maxSurge", "25%");
        }

        spec.Default("revisionHistoryLimit", 10);
        spec.Default("progressDeadlineSeconds", 600);
    }

    private static void CompleteReplicaSet(JsonObject set)
    {
        set.Child("spec").Default("replicas", 1);
        CompleteTemplate(set.Child("spec"));
        set.Child("status").Default("replicas", 0);
    }

    private static void CompleteStatefulSet(JsonObject set)
    {
        var spec = set.Child("spec");
        spec.Default("replicas", 1);
        CompleteTemplate(spec);
        spec.Default("podManagementPolicy", "OrderedReady");
        spec.Child("updateStrategy").Default("type", "RollingUpdate");
        if (spec.Text("updateStrategy", "type") == "RollingUpdate")
        {
            spec.Child("updateStrategy").Child("rollingUpdate").Default("partition", 0);
        }

        spec.Default("revisionHistoryLimit", 10);
        var retention = spec.Child("persistentVolumeClaimRetentionPolicy");
        retention.Default("whenDeleted", "Retain");
        retention.Default("whenScaled", "Retain");
        set.Child("status").Default("replicas", 0);
        set.Child("status").Default("availableReplicas", 0);
    }

    private static void CompleteDaemonSet(JsonObject set)
    {
        var spec = set.Child("spec");
        CompleteTemplate(spec);
        spec.Child("updateStrategy").Default("type", "RollingUpdate");
        if (spec.Text("updateStrategy", "type") == "RollingUpdate")
        {
            spec.Child("updateStrategy").Child("rollingUpdate").Default("maxUnavailable", 1);
            spec.Child("updateStrategy").Child("rollingUpdate").Default("maxSurge", 0);
        }

        spec.Default("revisionHistoryLimit", 10);
        foreach (var field in (string[])["currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady"])
        {
            set.Child("status").Default(field, 0);
        }

        // The template generation of old: still written, still counted.
        set.Child("metadata").Child("annotations").Default("deprecated.daemonset.template.generation", "1");
    }

    private static void CompleteJob(JsonObject spec, JsonObject? job)
    {
        if (spec["completions"] is null && spec["parallelism"] is null)
        {
            spec["completions"] = 1;
        }

        spec.Default("parallelism", 1);
        spec.Default("backoffLimit", 6);
        CompleteTemplate(spec);
        spec.Default("completionMode", "NonIndexed");
        spec.Default("suspend", false);
        spec.Default("podReplacementPolicy", "TerminatingOrFailed");
        if (job is not null)
        {
            spec.Default("manualSelector", false);
        }
    }

    /// <summary>A job that brings no selector gets one by its own uid.</summary>
    public static void SelectPodsOfJob(JsonObject job)
    {
        var (spec, uid, name) = (job.Child("spec"), job.UidOf(), job.NameOf());
        if (spec.Flag("manualSelector"))
        {
            return;
        }

        var labels = spec.Child("template").Child("metadata").Child("labels");
        labels["batch.kubernetes.io/controller-uid"] = uid;
        labels["batch.kubernetes.io/job-name"] = name;
        labels["controller-uid"] = uid;
        labels["job-name"] = name;
        spec["selector"] = new JsonObject { ["matchLabels"] = new JsonObject { ["batch.kubernetes.io/controller-uid"] = uid } };
        job.Child("metadata").Default("labels", labels.DeepClone());
    }

    private static void CompleteCronJob(JsonObject cronJob)
    {
        var spec = cronJob.Child("spec");
        spec.Default("concurrencyPolicy", "Allow");
        spec.Default("suspend", false);
        spec.Default("successfulJobsHistoryLimit", 3);
        spec.Default("failedJobsHistoryLimit", 1);
        CompleteTemplate(spec.Child("jobTemplate").Child("spec"));
    }

    private static void CompleteDefinition(JsonObject definition)
    {
        var names = definition.Child("spec").Child("names");
        var kind = names.Text("kind") ?? "";
        names.Default("singular", kind.ToLowerInvariant());
        names.Default("listKind", kind + "List");
        definition.Child("spec").Default("conversion", new JsonObject { ["strategy"] = "None" });
        if (definition["status"] is JsonObject { Count: 0 })
        {
            definition["status"] = CustomResource.NewStatus(definition);
        }
    }

    private static void CompleteBudget(JsonObject budget)
    {
        budget.Child("spec");
        var status = budget.Child("status");
        foreach (var field in (string[])["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"])
        {
            status.Default(field, 0);
        }
    }
}
