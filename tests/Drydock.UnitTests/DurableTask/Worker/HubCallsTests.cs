using Drydock.DurableTask;
using Drydock.DurableTask.Worker;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Results reach a hub that was away.</summary>
public sealed class HubCallsTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public async Task A_hub_that_is_away_for_long_gets_the_result_when_it_is_back()
    {
        var calls = 0;
        await RunAsync(new HubCalls(_clock, NullLogger.Instance).CallAsync(
            _ => ++calls > 50 ? Task.CompletedTask : throw new TaskHubException(StatusCode.Unavailable, "away"), TestContext.Current.CancellationToken));

        calls.ShouldBe(51);
    }

    [Fact]
    public async Task A_hub_that_answers_with_a_fault_is_called_ten_times_and_one_that_refuses_once()
    {
        var calls = 0;
        await Should.ThrowAsync<TaskHubException>(() => RunAsync(new HubCalls(_clock, NullLogger.Instance).CallAsync(
            _ => throw new TaskHubException(++calls > 0 ? StatusCode.Internal : StatusCode.OK, "fault"), TestContext.Current.CancellationToken)));
        calls.ShouldBe(10);

        calls = 0;
        await Should.ThrowAsync<TaskHubException>(() => RunAsync(new HubCalls(_clock, NullLogger.Instance).CallAsync(
            _ => throw new TaskHubException(++calls > 0 ? StatusCode.NotFound : StatusCode.OK, "stale"), TestContext.Current.CancellationToken)));
        calls.ShouldBe(1);
    }

    [Fact]
    public async Task Giving_back_ends_although_the_hub_stays_away()
    {
        var calls = 0;
        await RunAsync(new HubCalls(_clock, NullLogger.Instance).AbandonAsync(
            _ => throw new TaskHubException(++calls > 0 ? StatusCode.Unavailable : StatusCode.OK, "away"), CancellationToken.None));

        calls.ShouldBe(10);
    }

    private async Task RunAsync(Task task)
    {
        while (!task.IsCompleted)
        {
            _clock.Advance(TimeSpan.FromSeconds(15));
            await Task.Yield();
        }

        await task;
    }
}
