using Drydock.DurableTask;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Execution;

public sealed class ExternalEventsTests
{
    [Fact]
    public void An_event_after_a_timed_out_wait_is_kept_for_the_next_wait()
    {
        var turn = Turns
            .Executor(WaitWithTimeoutThenAgain)
            .Run(
                History.Start(drydock: true).TimerCreated(0, 5).Turn(5).TimerFired(0),
                History.Later(6).Raised("E", "\"e\"").Raised("Next", "\"n\""));

        turn.Output().ShouldBe("\"e\"");
    }

    [Fact]
    public void Events_of_one_name_come_in_the_order_in_which_they_arrived()
    {
        var turn = Turns
            .Executor(async context =>
            {
                await context.WaitForExternalEvent<string>("Go");
                return new[]
                {
                    await context.WaitForExternalEvent<int>("n"),
                    await context.WaitForExternalEvent<int>("N"),
                    await context.WaitForExternalEvent<int>("n"),
                };
            })
            .Run(History.Start().Raised("n", "1").Raised("N", "2").Raised("n", "3").Raised("Go", null));

        turn.Output().ShouldBe("[1,2,3]");
    }

    [Theory]
    [InlineData(true, "a1 b1 a2")]
    [InlineData(false, "a1 a2 b1")]
    public void Kept_events_go_on_in_the_order_they_came_unless_the_official_SDK_began_it(bool drydock, string order)
    {
        var turn = Turns
            .Executor<object?>(async context =>
            {
                await context.WaitForExternalEvent<string>("Go");
                context.ContinueAsNew("next");
                return null;
            })
            .Run(History.Start(drydock: drydock).Raised("a", "a1").Raised("b", "b1").Raised("a", "a2").Raised("Go", null));

        string.Join(' ', turn.Actions.Select(action => action.SendEvent?.Data).OfType<string>()).ShouldBe(order);
    }

    [Fact]
    public void An_event_in_time_ends_the_timer_too()
    {
        var turn = Turns
            .Executor(context => context.WaitForExternalEvent<string>("E", TimeSpan.FromHours(1)))
            .Run(History.Start().TimerCreated(0, 3600), History.Later(1).Raised("e", "\"yes\""));

        turn.Output().ShouldBe("\"yes\"");
    }

    [Fact]
    public void No_event_in_time_is_a_cancellation()
    {
        var turn = Turns
            .Executor(async context =>
            {
                try
                {
                    return await context.WaitForExternalEvent<string>("E", TimeSpan.FromSeconds(5));
                }
                catch (TaskCanceledException)
                {
                    return "none";
                }
            })
            .Run(History.Start().TimerCreated(0, 5), History.Later(5).TimerFired(0));

        turn.Output().ShouldBe("\"none\"");
    }

    [Fact]
    public void Two_waits_for_one_name_must_agree_on_the_type()
    {
        var turn = Turns
            .Executor(async context =>
            {
                _ = context.WaitForExternalEvent<string>("E");
                return await context.WaitForExternalEvent<int>("e");
            })
            .Run(History.Start());

        turn.Completion!.FailureDetails.ErrorType.ShouldBe("System.ArgumentException");
    }

    [Fact]
    public void A_payload_of_another_type_is_an_exception_where_it_was_waited_for()
    {
        var turn = Turns
            .Executor(async context =>
            {
                try
                {
                    return await context.WaitForExternalEvent<int>("E");
                }
                catch (System.Text.Json.JsonException)
                {
                    return -1;
                }
            })
            .Run(History.Start(), History.Later(1).Raised("E", "\"text\""));

        turn.Output().ShouldBe("-1");
    }

    internal static async Task<string> WaitWithTimeoutThenAgain(TaskOrchestrationContext context)
    {
        try
        {
            return await context.WaitForExternalEvent<string>("E", TimeSpan.FromSeconds(5));
        }
        catch (TaskCanceledException)
        {
            await context.WaitForExternalEvent<string>("Next");
            return await context.WaitForExternalEvent<string>("E");
        }
    }
}
