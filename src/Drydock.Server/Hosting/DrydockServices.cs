using Drydock.DurableTask.Remote;
using Drydock.DurableTask.TaskHub;
using Drydock.Kubernetes;
using Drydock.Maintenance;
using Drydock.Maintenance.Drain;
using Drydock.Operator;
using Drydock.Operator.Admission;
using Drydock.Operator.Resources;
using Drydock.Server.Admission;
using Drydock.Server.Policies;
using Drydock.Server.Callers;
using Drydock.Server.NodeConditions;
using Drydock.Server.Notifications;
using Drydock.Server.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Drydock.Server;

/// <summary>The composition of Drydock without HTTP: what <c>maintain</c> and the server have in common.</summary>
public static class DrydockServices
{
    /// <summary>
    /// Hub, worker, client, cluster, orchestrations and <see cref="Maintenances"/>. The start of the host opens the hub, binds it to the
    /// cluster and checks the permissions before anything is handed to the worker; <see cref="StartFailure.Describe"/> tells its failures
    /// in one sentence.
    /// </summary>
    /// <exception cref="DrydockOptionsException">The options are wrong; the message lists everything.</exception>
    public static IServiceCollection AddDrydock(this IServiceCollection services, DrydockOptions options)
    {
        if (options.Validate() is { Count: > 0 } errors)
        {
            throw new DrydockOptionsException(errors);
        }

        services.TryAddSingleton(TimeProvider.System);
        services.AddLogging(logging => logging
            .SetMinimumLevel(options.LogLevel)

            // A failed start is told in one sentence by whoever started the host, not in a stack trace before it.
            .AddFilter("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical));
        if (options.Access.Mode != AccessMode.None)
        {
            // Who did what is written down however quiet the rest of the log is.
            services.AddLogging(static logging => logging.AddFilter(typeof(AccessGate).FullName, LogLevel.Information));
        }

        services.AddSingleton(options);
        services.AddKubernetesCluster(options.Cluster);

        // The order of the hosted services is the order of the start: hub, checks, worker, operator.
        services.AddHub(options);
        services.AddSingleton<ILeadership>(static provider => provider.GetRequiredService<IServerHub>());
        services.AddSingleton<IWakeupRelay>(static provider => provider.GetRequiredService<IServerHub>());
        services.AddSingleton<ClusterState>();
        services.AddSingleton<IHostedService, StartChecks>();
        services.AddPolicies(options);
        services.AddSingleton(provider =>
        {
            var hub = provider.GetRequiredService<IServerHub>();
            return new EvictionSlots(options.MaxParallelEvictions, () => hub.Servers);
        });
        services.AddSingleton(static provider => new WaitsEnd(provider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping));
        services.AddMaintenanceTasks(options);
        services.AddDoors();
        services.AddNotifications(options);
        services.AddSingleton<IHostedService, NodeConditionWriter>();
        if (options.Operator)
        {
            services.AddNodeMaintenanceOperator(static provider => provider.GetRequiredService<HubIdentity>().Id);
            services.AddResourceOperators();
        }

        if (options.Webhook is { } webhook)
        {
            services.AddWebhook(webhook);
        }

        return services;
    }

    private static void AddHub(this IServiceCollection services, DrydockOptions options)
    {
        switch (options.HubStore)
        {
            case HubStore.Sqlite file:
                services.AddSqliteTaskHub(file.Path, options.HubSettings);
                services.AddSingleton<IServerHub, EmbeddedServerHub>();
                break;
            case HubStore.PostgreSql database:
                services.AddPostgreSqlTaskHub(database.ConnectionString, options.HubSettings);
                services.AddSingleton<IServerHub, EmbeddedServerHub>();
                break;
            case HubStore.Remote remote:
                services.AddRemoteTaskHub(remote.ConnectionString);
                services.AddSingleton<OperatorLeadership>();
                services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<OperatorLeadership>());
                services.AddSingleton<IServerHub>(provider => new RemoteServerHub(
                    provider.GetRequiredService<RemoteTaskHub>(),
                    remote.Address,
                    provider.GetRequiredService<DurableTaskClient>(),
                    provider.GetRequiredService<OperatorLeadership>()));
                break;
        }
    }

    private static void AddWebhook(this IServiceCollection services, WebhookOptions options)
    {
        services.AddSingleton<AdmissionReviews>();
        services.AddSingleton<IWebhookCertificate>(provider => options.CertificateFolder is { } folder
            ? new MountedCertificate(folder, provider.GetRequiredService<ILogger<MountedCertificate>>())
            : new OwnCertificate(
                options,
                provider.GetRequiredService<IAdmissionObjects>(),
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<OwnCertificate>>()));
        services.AddSingleton(options);
        services.AddSingleton<WebhookServer>();
        services.AddSingleton<IHostedService>(static provider => provider.GetRequiredService<WebhookServer>());
    }

    // What an admin wrote wrong stops the start, not the first maintenance that names it.
    private static void AddPolicies(this IServiceCollection services, DrydockOptions options)
    {
        var file = options.PoliciesFile is { } path ? PolicyFile.Read(path) : PolicyFile.None;
        services.TryAddSingleton<IMaintenancePolicies>(provider =>
            new ResourcePolicies(new FixedPolicies(file.Policies), () => provider.GetRequiredService<IDrydockResources>()));
        services.AddSingleton<ISecretFiles>(new SecretFiles(options.SecretsFolder));
        services.AddSingleton<IHttpTargets>(provider => new HttpTargets(file.AllowedUrls, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(new CallbackAddress(options.PublicUrl));
    }

    // The tasks are always there: a message that was begun is delivered, or told undeliverable, when its target is gone.
    private static void AddNotifications(this IServiceCollection services, DrydockOptions options)
    {
        var notifications = options.Notifications;
        services.AddSingleton(provider => new NoticeSender(
            notifications,
            provider.GetRequiredService<ISecretFiles>(),
            new HttpTargets([.. notifications.AllowedUrls.Select(static prefix => new Uri(prefix))], provider.GetRequiredService<TimeProvider>()),
            new MailSender(notifications.Smtp, provider.GetRequiredService<ISecretFiles>(), provider.GetRequiredService<TimeProvider>()),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetService<ServerMeter>(),
            provider.GetRequiredService<ILogger<NoticeSender>>()));
        if (notifications.Targets.Count > 0)
        {
            services.AddSingleton<IHostedService>(provider => new NoticeWatcher(
                provider.GetRequiredService<DurableTaskClient>(),
                provider.GetRequiredService<Subjects>(),
                notifications,
                options.PublicUrl,
                provider.GetRequiredService<TimeProvider>(),
                provider.GetRequiredService<ILogger<NoticeWatcher>>()));
        }
    }

    private static void AddDoors(this IServiceCollection services)
    {
        services.AddSingleton(static provider => new HubIdentity(() => provider.GetRequiredService<IServerHub>().Id));
        services.AddSingleton<HistoryReader>();
        services.AddSingleton<InstanceFeed>();
        services.AddSingleton<Subjects>();
        services.AddSingleton<IInstanceFeed>(static provider => provider.GetRequiredService<InstanceFeed>());
        services.AddSingleton(static provider => new Maintenances(
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<ICluster>(),
            provider.GetActionPlanner(),
            provider.GetRequiredService<HistoryReader>(),
            provider.GetRequiredService<InstanceFeed>(),
            provider.GetRequiredService<HubIdentity>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<Steering>();
        services.AddSingleton<Rest.Readiness>();
        services.AddSingleton<Nodes>();
        services.AddSingleton<RolloutRequests>();
        services.AddSingleton<WindowRequests>();
        services.AddSingleton<IResourceRequests, ResourceRequests>();
        services.AddSingleton(static provider => new Rollouts(
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<RolloutRequests>(),
            provider.GetRequiredService<InstanceFeed>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new VirtualMachines(
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<ICluster>(),
            provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(static provider => new Windows(
            provider.GetRequiredService<DurableTaskClient>(),
            provider.GetRequiredService<WindowRequests>(),
            provider.GetRequiredService<InstanceFeed>(),
            provider.GetRequiredService<TimeProvider>()));
    }
}
