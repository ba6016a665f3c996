namespace Drydock.Server.Notifications;

/// <summary>Names that are written into stored histories: rename the classes freely, never these.</summary>
internal static class NoticeTasks
{
    public const string Orchestration = "notice";
    public const string Deliver = "notice.deliver";
    public const string Never = "never";

    /// <summary>Adds the orchestration and the activity of notifications.</summary>
    public static DurableTaskRegistry AddNotices(this DurableTaskRegistry registry) => registry
        .AddOrchestrator<NoticeOrchestrator>(Orchestration)
        .AddActivity(Deliver, static services => new DeliverNoticeActivity(services.GetRequiredService<NoticeSender>()));
}

/// <summary>
/// Delivers one message to everybody who is to get it, each on its own: one that cannot be reached holds up neither the others nor the
/// maintenance. A process that dies goes on with the deliveries that were not on record.
/// </summary>
internal sealed class NoticeOrchestrator : TaskOrchestrator<NoticeOrder, IReadOnlyList<NoticeDelivered>>
{
    // 5 s, 10 s, … up to 15 min between tries: about a day in all.
    private static readonly TaskOptions Patiently =
        TaskOptions.FromRetryPolicy(new RetryPolicy(100, TimeSpan.FromSeconds(5), 2, TimeSpan.FromMinutes(15)));

    public override async Task<IReadOnlyList<NoticeDelivered>> RunAsync(TaskOrchestrationContext context, NoticeOrder input)
    {
        if (input.Targets.Count == 0)
        {
            // The mark since when there are notifications never ends, so that no retention takes it: what ended while nobody looked would go untold.
            await context.WaitForExternalEvent<bool>(NoticeTasks.Never);
        }

        var logger = context.CreateReplaySafeLogger(typeof(NoticeOrchestrator).FullName!);
        var deliveries = await Task.WhenAll(input.Targets.Select(target => DeliverAsync(context, new NoticeDelivery(input.Notice, target))));
        foreach (var failed in deliveries.Where(static delivery => !delivery.IsDelivered))
        {
            logger.LogError("Notification {Notice} did not reach {Target}: {Why}", input.Notice.Id, failed.Target, failed.Message);
        }

        return deliveries;
    }

    private static async Task<NoticeDelivered> DeliverAsync(TaskOrchestrationContext context, NoticeDelivery delivery)
    {
        try
        {
            return await context.CallActivityAsync<NoticeDelivered>(NoticeTasks.Deliver, delivery, Patiently);
        }
        catch (TaskFailedException error)
        {
            return new NoticeDelivered(delivery.Target, IsDelivered: false, error.FailureDetails.ErrorMessage);
        }
    }
}

/// <summary>
/// Delivers one message to one target. Safe to run twice in so far as the receiver heeds the idempotency key (the Message-ID of an e-mail),
/// which is the same in every try.
/// </summary>
internal sealed class DeliverNoticeActivity(NoticeSender sender) : TaskActivity<NoticeDelivery, NoticeDelivered>
{
    public override Task<NoticeDelivered> RunAsync(TaskActivityContext context, NoticeDelivery input) => sender.SendAsync(input);
}

/// <summary>Another try may help.</summary>
public sealed class NoticeUndeliveredException(string message) : Exception(message);
