using System.Runtime.CompilerServices;
using Drydock.Operator;
using Drydock.UnitTests.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
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

    [Fact]
    public async Task An_operator_that_is_installed_later_is_left_alone_with_its_resources_until_it_is_gone()
    {
        var (clock, neighbours, reconciler) = (new FakeTimeProvider(), new StubNeighbours(), new Reconciler("one"));
        var other = new OtherOperator(neighbours, clock, NullLogger<OtherOperator>.Instance);
        using var loop = new ResourceOperator(reconciler, other, new Feed(), clock, NullLogger<ResourceOperator>.Instance);
        await loop.StartAsync(Token);
        await reconciler.AllDone.WaitAsync(TimeSpan.FromSeconds(30), TimeProvider.System, Token);

        neighbours.OtherOperator = static () => "nmo-1 (lease openshift-operators/nmo)";
        await MinuteByMinuteAsync(clock, () => other.ShutBecause is not null);
        var before = reconciler.Reconciled.Count;
        neighbours.OtherOperator = static () => null;
        await MinuteByMinuteAsync(clock, () => reconciler.Reconciled.Count > before);
        await loop.StopAsync(Token);

        before.ShouldBe(1);
        other.ShutBecause.ShouldBeNull();
    }

    // A minute that passes before somebody waits for it is passed for nobody.
    private static async Task MinuteByMinuteAsync(FakeTimeProvider clock, Func<bool> isSo)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60), TimeProvider.System);
        while (!isSo())
        {
            clock.Advance(TimeSpan.FromMinutes(1));
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, limit.Token);
        }
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
