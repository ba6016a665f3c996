using System.Reflection;
using Drydock.DurableTask;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.Remote;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging.Abstractions;
using Shouldly;

namespace Drydock.ConformanceTests.TaskHub;

/// <summary>
/// The same suite against a hub somewhere: <c>DRYDOCK_TEST_TASKHUB</c> is its address or connection string, and
/// <c>DRYDOCK_TEST_TASKHUB_SKIP</c> names cases it does not support, with commas. Run with <c>-explicit only</c>.
/// </summary>
public sealed class AddressedTaskHubTests
{
    private const string Address = "DRYDOCK_TEST_TASKHUB";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly Type[] Parts = [typeof(Turns), typeof(Life), typeof(Reads), typeof(Repairs), typeof(Entities)];

    [Fact(Explicit = true)]
    public async Task A_hub_at_an_address_owes_the_same()
    {
        Environment.GetEnvironmentVariable(Address).ShouldNotBeNullOrEmpty($"Set {Address} to the hub's address.");
        var skipped = (Environment.GetEnvironmentVariable(Address + "_SKIP") ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        List<string> failures = [];
        var asked = 0;
        foreach (var part in Parts)
        {
            foreach (var test in part.GetMethods().Where(method => method.GetCustomAttribute<FactAttribute>() is not null && !skipped.Contains(method.Name)))
            {
                switch (await RunAsync(part, test))
                {
                    case null:
                        asked++;
                        break;
                    case NeedsOurClockException or TaskHubException { Status: StatusCode.Unimplemented, Message: "" }:
                        break;
                    case var failure:
                        failures.Add($"{test.Name}: {failure.Message}");
                        break;
                }
            }
        }

        TestContext.Current.SendDiagnosticMessage("{0} cases were asked of the hub.", asked);
        asked.ShouldBeGreaterThan(0);
        failures.ShouldBeEmpty();
    }

    private static async Task<Exception?> RunAsync(Type part, MethodInfo test)
    {
        var suite = (TaskHubConformance)Activator.CreateInstance(part)!;
        try
        {
            await suite.InitializeAsync();
            await ((Task)test.Invoke(suite, null)!).WaitAsync(Patience);
            return null;
        }
        catch (Exception exception)
        {
            return exception is TargetInvocationException { InnerException: { } inner } ? inner : exception;
        }
        finally
        {
            await suite.DisposeAsync();
        }
    }

    /// <summary>A hub of its own for each case, if the service has such.</summary>
    private static async Task<ITaskHub> ConnectAsync()
    {
        var address = TaskHubAddress.Parse(Environment.GetEnvironmentVariable(Address)!);
        address = address with { TaskHub = address.TaskHub ?? "t" + Guid.NewGuid().ToString("N") };
        using var channel = GrpcChannel.ForAddress(address.Endpoint);
        try
        {
            await new TaskHubSidecarService.TaskHubSidecarServiceClient(channel).CreateTaskHubAsync(
                new CreateTaskHubRequest { RecreateIfExists = false }, new Metadata { { "taskhub", address.TaskHub } });
        }
        catch (RpcException refusal) when (refusal.StatusCode is StatusCode.Unimplemented or StatusCode.AlreadyExists)
        {
            // It has one hub, or makes them by itself.
        }

        return new RemoteTaskHub(new RemoteTaskHubOptions { Address = address }, TimeProvider.System, NullLogger<RemoteTaskHub>.Instance);
    }

    private sealed class Turns : TaskHubTurns
    {
        protected override bool IsInRealTime => true;

        protected override Task<ITaskHub> CreateAsync(TimeProvider clock) => ConnectAsync();
    }

    private sealed class Life : TaskHubLife
    {
        protected override bool IsInRealTime => true;

        protected override Task<ITaskHub> CreateAsync(TimeProvider clock) => ConnectAsync();
    }

    private sealed class Reads : TaskHubReads
    {
        protected override bool IsInRealTime => true;

        protected override Task<ITaskHub> CreateAsync(TimeProvider clock) => ConnectAsync();
    }

    private sealed class Repairs : TaskHubRepairs
    {
        protected override bool IsInRealTime => true;

        protected override Task<ITaskHub> CreateAsync(TimeProvider clock) => ConnectAsync();
    }

    private sealed class Entities : TaskHubEntities
    {
        protected override bool IsInRealTime => true;

        protected override Task<ITaskHub> CreateAsync(TimeProvider clock) => ConnectAsync();
    }
}
