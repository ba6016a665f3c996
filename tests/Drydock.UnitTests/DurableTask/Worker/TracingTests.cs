using System.Collections.Concurrent;
using System.Diagnostics;
using Drydock.DurableTask;
using Drydock.DurableTask.Client;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>One trace from the client's start to everything that it led to, across a restart. Other tests run beside: only its own trace counts.</summary>
public sealed class TracingTests
{
    private const string Id = "traced-across-a-restart";

    [Fact]
    public async Task One_trace_goes_from_the_client_through_a_restart_to_every_part()
    {
        ConcurrentQueue<Activity> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = static source => source.Name == "Drydock.DurableTask",
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        var folder = Directory.CreateTempSubdirectory("drydock-engine-");
        using var root = new Activity("root").SetIdFormat(ActivityIdFormat.W3C);
        await using (var first = await EngineHost.StartAsync(Register, folder: folder))
        {
            root.Start();
            await first.Client.ScheduleNewOrchestrationInstanceAsync("Traced", null, new StartOrchestrationOptions(Id) { Version = "1.0" });
            root.Stop();
            using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(1), TimeProvider.System);
            while (await first.Client.GetInstanceAsync(Id + ".part", getInputsAndOutputs: true, limit.Token) is not { SerializedCustomStatus: not null })
            {
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
            }
        }

        await using (var second = await EngineHost.StartAsync(Register, folder: folder))
        {
            using var sender = new Activity("sender").SetIdFormat(ActivityIdFormat.W3C).SetParentId(root.TraceId, root.SpanId, ActivityTraceFlags.Recorded).Start();
            await second.Client.RaiseEventAsync(Id + ".part", "go");
            sender.Stop();
            (await second.EndOfAsync(Id)).RuntimeStatus.ShouldBe(OrchestrationRuntimeStatus.Completed);
        }

        folder.Delete(recursive: true);
        var mine = spans.Where(span => span.TraceId == root.TraceId).ToList();
        var create = Only(mine, "create_orchestration:Traced", ActivityKind.Producer);
        create.ParentSpanId.ShouldBe(root.SpanId);
        Only(mine, "orchestration_event:go", ActivityKind.Producer).GetTagItem("durabletask.event.target_instance_id").ShouldBe(Id + ".part");
        foreach (var (name, kind, instance) in new[]
        {
            ("orchestration:Traced", ActivityKind.Server, Id), ("orchestration:TracedPart", ActivityKind.Server, Id + ".part"),
            ("activity:Before", ActivityKind.Internal, Id), ("activity:Broken", ActivityKind.Internal, Id + ".part"), ("orchestration:Traced:timer", ActivityKind.Internal, Id),
        })
        {
            var span = Only(mine, name, kind);
            span.ParentSpanId.ShouldBe(create.SpanId, name);
            span.GetTagItem("durabletask.task.instance_id").ShouldBe(instance);
        }

        mine.Count.ShouldBe(7);
        var whole = Only(mine, "orchestration:Traced", ActivityKind.Server);
        (whole.GetTagItem("durabletask.task.status"), whole.GetTagItem("durabletask.task.version")).ShouldBe(("Completed", "1.0"));
        whole.StartTimeUtc.ShouldBeLessThanOrEqualTo(Only(mine, "activity:Before", ActivityKind.Internal).StartTimeUtc);
        var timer = Only(mine, "orchestration:Traced:timer", ActivityKind.Internal);
        timer.Duration.ShouldBeGreaterThan(TimeSpan.Zero);
        timer.GetTagItem("durabletask.fire_at").ShouldNotBeNull();
        Only(mine, "activity:Broken", ActivityKind.Internal).Status.ShouldBe(ActivityStatusCode.Error);
        Only(mine, "orchestration:TracedPart", ActivityKind.Server).Status.ShouldBe(ActivityStatusCode.Error);
    }

    private static Activity Only(List<Activity> spans, string name, ActivityKind kind) =>
        spans.Where(span => span.OperationName == name && span.Kind == kind).ShouldHaveSingleItem();

    private static void Register(DurableTaskRegistry tasks)
    {
        tasks.AddOrchestratorFunc("Traced", static async context =>
        {
            await context.CallActivityAsync("Before");
            await context.CreateTimer(TimeSpan.FromMilliseconds(5), CancellationToken.None);
            try
            {
                await context.CallSubOrchestratorAsync("TracedPart", options: new SubOrchestrationOptions { InstanceId = Id + ".part" });
            }
            catch (TaskFailedException)
            {
                // Its span says it.
            }
        });
        tasks.AddOrchestratorFunc("TracedPart", static async context =>
        {
            context.SetCustomStatus("waiting");
            await context.WaitForExternalEvent<object?>("go");
            await context.CallActivityAsync("Broken");
        });
        tasks.AddActivityFunc("Before", static _ => Task.CompletedTask);
        tasks.AddActivityFunc("Broken", static _ => Task.FromException(new InvalidOperationException("broken")));
    }
}
