using System.Runtime.CompilerServices;
using Drydock.Operator;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Operator;

/// <summary>The loop around a reconciler.</summary>
public sealed class ResourceOperatorTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_host_that_is_disposed_without_a_stop_logs_nothing_critical()
    {
        var log = new Lines();
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Logging.AddProvider(log);
        var reconciler = new Reconciler("one");
        builder.Services.AddSingleton<IHostedService>(provider => new ResourceOperator(
            reconciler, null, new Feed(), TimeProvider.System, provider.GetRequiredService<ILogger<ResourceOperator>>()));
        var host = builder.Build();
        await host.StartAsync(Token);
        await reconciler.AllDone.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);

        await ((IAsyncDisposable)host).DisposeAsync();

        log.Faults.ShouldBeEmpty();
    }

    [Fact]
    public async Task One_that_cannot_be_reconciled_is_tried_again_and_the_others_go_on()
    {
        var reconciler = new Reconciler("bad", "good") { FailuresOfBad = 1 };
        using var loop = new ResourceOperator(reconciler, null, new Feed(), TimeProvider.System, LoggerFactory.Create(_ => { }).CreateLogger<ResourceOperator>());
        await loop.StartAsync(Token);

        await reconciler.AllDone.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);

        await loop.StopAsync(Token);
        reconciler.Reconciled.ShouldBe(["good", "bad"]);
    }

    private sealed class Reconciler(params string[] names) : IReconciler
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int FailuresOfBad { get; set; }

        public List<string> Reconciled { get; } = [];

        public Task AllDone => _done.Task;

        public string Kind => "Thing";

        public async IAsyncEnumerable<string> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            foreach (var name in names)
            {
                yield return name;
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }

        public Task<ReconcileResult> ReconcileAsync(string name, CancellationToken cancellationToken)
        {
            if (name == "bad" && FailuresOfBad-- > 0)
            {
                throw new InvalidOperationException("not now");
            }

            Reconciled.Add(name);
            if (Reconciled.Count == names.Length)
            {
                _done.SetResult();
            }

            return Task.FromResult(new ReconcileResult(null));
        }

        public Task EndOrphansAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class Feed : IInstanceFeed
    {
        public async IAsyncEnumerable<string?> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            yield break;
        }
    }

    private sealed class Lines : ILoggerProvider, ILogger
    {
        public List<string> Faults { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (logLevel >= LogLevel.Warning)
            {
                Faults.Add($"{formatter(state, exception)} {exception}");
            }
        }

        public void Dispose()
        {
        }
    }
}
