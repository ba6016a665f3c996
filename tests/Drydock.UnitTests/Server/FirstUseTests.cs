using Drydock.Maintenance;
using Drydock.Server;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>What the server prepares before it listens.</summary>
public sealed class FirstUseTests
{
    [Fact]
    public void It_prepares_what_the_tasks_of_a_maintenance_store()
    {
        var types = FirstUse.StoredTypes();

        types.ShouldContain(typeof(MaintenanceRequest));
        types.ShouldContain(typeof(MaintenancePlan));
        types.ShouldContain(typeof(MaintenanceReport));
        types.ShouldBeUnique();
        Should.NotThrow(() => FirstUse.Prepare(types));
    }
}
