using System.Reflection;
using System.Runtime.CompilerServices;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Worker;

/// <summary>Work and the news that nobody wants it come by two streams, and the news can be first.</summary>
public sealed class LostActivityTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task An_activity_that_was_lost_before_it_began_is_told_so_and_given_back()
    {
        var proxy = DispatchProxy.Create<IWholeHub, NewsFirstHub>();
        var hub = (NewsFirstHub)(object)proxy;
        var registry = new DurableTaskRegistry();
        registry.AddActivityFunc<object?>("Endless", async context =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.GetCancellationToken());
            return null;
        });
        await using var services = new ServiceCollection().BuildServiceProvider();
        var runs = new ActivityRuns(
            proxy,
            new DurableTaskFactory(registry),
            services.GetRequiredService<IServiceScopeFactory>(),
            new TaskHubWorkerOptions(),
            new HubCalls(TimeProvider.System, NullLogger.Instance),
            NullLogger.Instance);
        using var end = new CancellationTokenSource();
        var watch = runs.WatchLostAsync(end.Token);
        await hub.Told.Task.WaitAsync(Patience, TestContext.Current.CancellationToken);

        var request = new ActivityRequest { Name = "Endless", OrchestrationInstance = new OrchestrationInstance { InstanceId = "a" } };
        await runs.RunAsync(request, "lost", CancellationToken.None).WaitAsync(Patience, TestContext.Current.CancellationToken);

        hub.GivenBack.ShouldBe("lost");
        await end.CancelAsync();
        await watch;
    }
}

/// <summary>A hub with its extensions.</summary>
public interface IWholeHub : ITaskHub, ITaskHubExtensions;

/// <summary>A hub that says that an activity is lost, and takes it back.</summary>
public class NewsFirstHub : DispatchProxy
{
    /// <summary>Completes when whoever listens has taken the news.</summary>
    public TaskCompletionSource Told { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>The token of what was given back.</summary>
    public string? GivenBack { get; private set; }

    protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
    {
        switch (targetMethod!.Name)
        {
            case nameof(ITaskHubExtensions.WatchLostActivitiesAsync):
                return NewsAsync((CancellationToken)args![0]!);
            case nameof(ITaskHub.AbandonActivityTaskAsync):
                GivenBack = ((AbandonActivityTaskRequest)args![0]!).CompletionToken;
                return Task.CompletedTask;
            default:
                throw new NotSupportedException(targetMethod.Name);
        }
    }

    private async IAsyncEnumerable<string> NewsAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        yield return "lost";
        Told.SetResult();
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
    }
}
