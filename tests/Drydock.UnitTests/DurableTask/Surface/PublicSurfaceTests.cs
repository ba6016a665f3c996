using Drydock.DurableTask;
using Drydock.UnitTests.Snapshots;
using PublicApiGenerator;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Surface;

/// <summary>What other people program against changes only on purpose.</summary>
public sealed class PublicSurfaceTests
{
    private static readonly ApiGeneratorOptions _options = new() { IncludeAssemblyAttributes = false };

    [Fact]
    public void The_surface_for_authors_and_callers_is_the_approved_one() =>
        typeof(TaskOrchestrationContext).Assembly.GeneratePublicApi(_options).ShouldBeAsApproved("Abstractions");

    [Fact]
    public void The_surface_of_the_engine_is_the_approved_one() =>
        typeof(ITaskHub).Assembly
            .GeneratePublicApi(new ApiGeneratorOptions
            {
                IncludeAssemblyAttributes = false,
                IncludeTypes = [.. typeof(ITaskHub).Assembly.GetExportedTypes().Where(static type => !IsGenerated(type))],
            })
            .ShouldBeAsApproved("Engine");

    // The protocol's messages are as the .proto says.
    private static bool IsGenerated(Type type) => type.Namespace!.StartsWith("Drydock.DurableTask.Protobuf", StringComparison.Ordinal);
}
