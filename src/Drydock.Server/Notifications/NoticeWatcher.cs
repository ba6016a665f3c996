using Drydock.Maintenance;

namespace Drydock.Server.Notifications;

/// <summary>
/// Follows all maintenances and rollouts and starts one durable instance per message; the id of the message is the id of the instance, so
/// that a message is begun once however often the same is seen: after a crash, by another process, by the round that is made in any case.
/// Nothing that happens here can hold a maintenance up.
/// </summary>
internal sealed class NoticeWatcher(
    DurableTaskClient client, Subjects subjects, NotificationOptions options, string? publicUrl, TimeProvider clock, ILogger<NoticeWatcher> logger)
    : BackgroundService
{
    // Told since when: what is older than the first start with notifications, or than a day, is no news.
    private const string Marker = Notice.IdPrefix + "since";

    private const int MostRemembered = 10_000;

    private static readonly TimeSpan Memory = TimeSpan.FromHours(24);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HashSet<string> _begun = new(StringComparer.Ordinal);
    private DateTimeOffset _since;

    private TimeSpan Round => TimeSpan.FromSeconds(Math.Clamp(options.BlockedAfter.TotalSeconds / 4, 1, 60));

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await FollowAsync(stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error)
            {
                // Telling must not end the process that does the work.
                logger.LogWarning(error, "Notifications could not be begun; it is tried again.");
                await Task.Delay(Patience, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        await StartAsync(Marker, new NoticeOrder(new Notice(Marker, NoticeKind.Begun, "", clock.GetUtcNow(), "", ""), []), cancellationToken);
        _since = (await client.GetInstanceAsync(Marker, cancellationToken))?.CreatedAt ?? clock.GetUtcNow();
        await subjects.FollowAsync(Round, Floor(), LookAsync, cancellationToken);
    }

    private async Task LookAsync(OrchestrationMetadata instance, CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        List<Notice> notices = [];
        if (instance.Name == Orchestrations.Maintenance && await InstanceTree.ReadAsync(client, instance.InstanceId, cancellationToken) is { } tree)
        {
            notices.AddRange(NoticeRules.Of(MaintenanceViews.View(tree, withPods: false), now, options.BlockedAfter));
        }
        else if (instance.Name == Orchestrations.Rollout && await client.GetInstanceAsync(instance.InstanceId, getInputsAndOutputs: true, cancellationToken) is { } rollout)
        {
            notices.AddRange(NoticeRules.Of(rollout, now));
        }

        foreach (var notice in notices.Where(notice => notice.At >= Floor()))
        {
            await TellAsync(notice, cancellationToken);
        }
    }

    private async Task TellAsync(Notice notice, CancellationToken cancellationToken)
    {
        string[] targets = [.. options.Targets.Where(target => target.Wants(notice.Kind)).Select(static target => target.Name)];
        // What is forgotten is asked of the hub once more; what is kept for ever costs the process.
        if (_begun.Count >= MostRemembered)
        {
            _begun.Clear();
        }

        if (targets.Length > 0 && _begun.Add(notice.Id))
        {
            var door = notice.Kind is NoticeKind.RolloutPaused or NoticeKind.RolloutFinished ? "rollouts" : "maintenances";
            var url = publicUrl is null ? null : $"{publicUrl.TrimEnd('/')}/api/v1/{door}/{Uri.EscapeDataString(notice.Instance)}";
            await StartAsync(notice.Id, new NoticeOrder(notice with { Url = url }, targets), cancellationToken);
        }
    }

    private async Task StartAsync(string id, NoticeOrder order, CancellationToken cancellationToken)
    {
        try
        {
            await client.ScheduleNewOrchestrationInstanceAsync(NoticeTasks.Orchestration, order, Instances.StartOnce(id), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            // It is on record: told, or being told.
        }
        catch
        {
            _begun.Remove(id);
            throw;
        }
    }

    private DateTimeOffset Floor() => clock.GetUtcNow() - Memory is var dayAgo && dayAgo > _since ? dayAgo : _since;
}
