namespace Drydock.DurableTask.Execution;

/// <summary>Trying again, as a part of the orchestration: each attempt is a new step, and a policy's delays are timers.</summary>
internal static class Retries
{
    /// <summary>Calls until it succeeds or the retry options say that it is enough.</summary>
    public static Task<T> RunAsync<T>(OrchestrationContext context, TaskRetryOptions? retry, Func<Task<T>> call) => retry switch
    {
        { Policy: { } policy } => ByPolicyAsync(context, policy, call),
        { Handler: { } handler } => ByHandlerAsync(context, handler, call),
        _ => call(),
    };

    private static async Task<T> ByPolicyAsync<T>(OrchestrationContext context, RetryPolicy policy, Func<Task<T>> call)
    {
        var begin = context.CurrentUtcDateTime;
        for (var attempt = 0; ; attempt++)
        {
            Exception failure;
            try
            {
                return await call();
            }
            catch (Exception exception) when (exception is not TaskFailedException { FailureDetails.IsNonRetriable: true })
            {
                failure = exception;
            }

            if (attempt + 1 >= policy.MaxNumberOfAttempts)
            {
                // The first versions of the official SDK waited after the last attempt too. What they recorded must still replay, so
                // there has been a timer ever since, which fires at once.
                await context.CreateRetryTimerAsync(context.CurrentUtcDateTime);
                throw Rethrow(failure);
            }

            if (DelayAfter(context, policy, begin, attempt, failure) is not { } delay)
            {
                throw Rethrow(failure);
            }

            await context.CreateRetryTimerAsync(context.CurrentUtcDateTime + delay);
        }
    }

    private static TimeSpan? DelayAfter(
        OrchestrationContext context, RetryPolicy policy, DateTime begin, int attempt, Exception failure)
    {
        var mayRetry = Asks(policy, failure)
            && (policy.RetryTimeout == Timeout.InfiniteTimeSpan || context.CurrentUtcDateTime - begin < policy.RetryTimeout);
        if (!mayRetry)
        {
            return null;
        }

        var milliseconds = policy.FirstRetryInterval.TotalMilliseconds * Math.Pow(policy.BackoffCoefficient, attempt);
        return milliseconds < policy.MaxRetryInterval.TotalMilliseconds
            ? TimeSpan.FromMilliseconds(milliseconds)
            : policy.MaxRetryInterval;
    }

    // A decision that throws must not hide the failure it was asked about: it counts as no.
    private static bool Asks(RetryPolicy policy, Exception failure)
    {
        try
        {
            return policy.Handle(failure);
        }
        catch (Exception)
        {
            return false;
        }
    }

    private static async Task<T> ByHandlerAsync<T>(OrchestrationContext context, AsyncRetryHandler handler, Func<Task<T>> call)
    {
        var begin = context.CurrentUtcDateTime;
        for (var attempt = 1; ; attempt++)
        {
            TaskFailedException failure;
            try
            {
                return await call();
            }
            catch (TaskFailedException exception) when (!exception.FailureDetails.IsNonRetriable)
            {
                failure = exception;
            }

            var retry = new RetryContext(
                context, attempt, failure.FailureDetails, context.CurrentUtcDateTime - begin, CancellationToken.None);
            if (!await handler(retry))
            {
                throw Rethrow(failure);
            }
        }
    }

    private static Exception Rethrow(Exception failure)
    {
        System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        return failure;
    }
}
