using System.Text.Json.Nodes;

namespace Drydock.Simulator.Scenarios;

/// <summary>Reads scenario files. Scenarios/README.md describes them.</summary>
internal static class ScenarioReader
{
    private static readonly string[] WorkloadKinds = ["deployment", "statefulSet", "daemonSet", "pod"];
    private static readonly string[] EvictionStrategies = ["None", "LiveMigrate", "LiveMigrateIfPossible", "External"];

    public static Scenario Read(string text)
    {
        var file = YamlFields.Document(text);
        var scenario = new Scenario
        {
            Name = file.Required("name"),
            Description = file.Text("description") ?? string.Empty,
            EvictionStrategy = file.OneOf("evictionStrategy", EvictionStrategies),
            HyperConverged = file.Flag("hyperConverged") ?? false,
            Migrations = file.Nested("migrations", ReadMigrations) ?? [],
            Nodes = [.. file.Each("nodes", ReadNodes).SelectMany(nodes => nodes)],
            Workloads = file.Each("workloads", ReadWorkload),
            Storage = file.Nested("storage", ReadStorage),
            Budgets = file.Each("budgets", ReadBudget),
            VirtualMachines = file.Each("virtualMachines", ReadVirtualMachine),
            MachineApi = file.OneOf("machineApi", MachineApis.OpenShift, MachineApis.Cluster) ?? MachineApis.OpenShift,
            NodeHealthChecks = file.Each("nodeHealthChecks", ReadNodeHealthCheck),
            MachineHealthChecks = file.Each("machineHealthChecks", ReadMachineHealthCheck),
            Users = file.Each("users", ReadUser),
            Faults = file.Each("faults", FaultReader.Read),
            Maintain = file.Text("maintain"),
            Request = file.Free("request"),
            Expect = file.Nested("expect", ReadExpectation) ?? new(),
        };
        file.Done();
        CheckReferences(scenario, file);
        return scenario;
    }

    private static IReadOnlyList<NodeSpec> ReadNodes(YamlFields fields)
    {
        var name = fields.Required("name");
        var count = fields.Int("count") ?? 1;
        if (count > 1 && !name.Contains("{n}", StringComparison.Ordinal))
        {
            throw fields.Refusal("name", "a name with {n} when there is a count, such as worker-{n}");
        }

        var node = new NodeSpec(name);
        node = node with
        {
            Zone = fields.Text("zone") ?? node.Zone,
            ControlPlane = fields.Flag("controlPlane") ?? false,
            Labels = fields.Map("labels"),
            Cpu = fields.Text("cpu") ?? node.Cpu,
            Memory = fields.Text("memory") ?? node.Memory,
            Pods = fields.Int("pods") ?? node.Pods,
            CpuModel = fields.Text("cpuModel") ?? node.CpuModel,
            RebootTakes = fields.Duration("rebootTakes") ?? node.RebootTakes,
            Cordoned = fields.Flag("cordoned") ?? false,
            KubeletVersion = fields.Text("kubeletVersion") ?? node.KubeletVersion,
            KubeletVersionAfterReboot = fields.Text("kubeletVersionAfterReboot"),
            BareMetalHost = fields.OptionalReference("bareMetalHost"),
            Machine = fields.OptionalReference("machine"),
            ShutdownTakes = fields.Duration("shutdownTakes") ?? node.ShutdownTakes,
            IgnoresSoftPowerOff = fields.Flag("ignoresSoftPowerOff") ?? false,
            StopsSilently = fields.Flag("stopsSilently") ?? false,
        };
        return [.. Enumerable.Range(1, count).Select(n => node with
        {
            Name = Numbered(name, n)!,
            BareMetalHost = Numbered(node.BareMetalHost, n),
            Machine = Numbered(node.Machine, n),
        })];
    }

    private static string? Numbered(string? name, int number) => name?.Replace("{n}", number.ToString(), StringComparison.Ordinal);

    private static NodeHealthCheckSpec ReadNodeHealthCheck(YamlFields fields)
    {
        var check = new NodeHealthCheckSpec(fields.Required("name"));
        return check with
        {
            UnhealthyAfter = fields.Duration("unhealthyAfter") ?? check.UnhealthyAfter,
            MinHealthy = fields.Text("minHealthy") ?? check.MinHealthy,
        };
    }

    private static MachineHealthCheckSpec ReadMachineHealthCheck(YamlFields fields)
    {
        var (space, name) = fields.Reference("name");
        var check = new MachineHealthCheckSpec(space, name);
        return check with
        {
            UnhealthyAfter = fields.Duration("unhealthyAfter") ?? check.UnhealthyAfter,
            MaxUnhealthy = fields.Text("maxUnhealthy") ?? check.MaxUnhealthy,
        };
    }

    private static UserSpec ReadUser(YamlFields fields) => new(fields.Required("name"), fields.Required("token"))
    {
        Groups = fields.Texts("groups"),
        May = [.. fields.Texts("may").Select(text => PermissionSpec.Read(fields, text))],
    };

    private static WorkloadSpec ReadWorkload(YamlFields fields)
    {
        var kind = WorkloadKinds.FirstOrDefault(each => fields.Text(each) is not null)
            ?? throw fields.Missing($"A workload has one of the fields {string.Join(", ", WorkloadKinds)}, with NAMESPACE/NAME.");
        var (space, name) = fields.Reference(kind);
        return new(kind, space, name)
        {
            Replicas = fields.Int("replicas") ?? 1,
            On = fields.Texts("on"),
            Labels = fields.Map("labels"),
            Cpu = fields.Text("cpu"),
            Memory = fields.Text("memory"),
            StartAfter = fields.Duration("startAfter"),
            TerminateAfter = fields.Duration("terminateAfter"),
            NeverTerminates = fields.Flag("neverTerminates") ?? false,
            NeverReady = fields.Flag("neverReady") ?? false,
            EmptyDir = fields.Flag("emptyDir") ?? false,
            Spread = fields.Text("spread") switch
            {
                null or "false" => null,
                "true" => Controllers.AntiAffinity.HostName,
                var key when key.Contains('/', StringComparison.Ordinal) => key,
                _ => throw fields.Refusal("spread", "true, false or a label of nodes, such as topology.kubernetes.io/zone"),
            },
            NodeSelector = fields.Map("nodeSelector"),
            PriorityClass = fields.Text("priorityClass"),
            Volume = fields.Text("volume"),
        };
    }

    private static JsonObject ReadMigrations(YamlFields fields)
    {
        var migrations = new JsonObject();
        foreach (var number in (string[])["parallelMigrationsPerCluster", "parallelOutboundMigrationsPerNode", "completionTimeoutPerGiB", "progressTimeout"])
        {
            if (fields.Int(number) is { } value)
            {
                migrations[number] = value;
            }
        }

        return migrations;
    }

    private static StorageSpec ReadStorage(YamlFields fields)
    {
        var storage = new StorageSpec();
        return storage with
        {
            Driver = fields.Text("driver") ?? storage.Driver,
            AttachTakes = fields.Duration("attachTakes") ?? storage.AttachTakes,
            DetachTakes = fields.Duration("detachTakes") ?? storage.DetachTakes,
            RegistersAfter = fields.Duration("registersAfter") ?? storage.RegistersAfter,
            NeverDetaches = fields.Flag("neverDetaches") ?? false,
        };
    }

    private static BudgetSpec ReadBudget(YamlFields fields)
    {
        var (space, name) = fields.Reference("name");
        var budget = new BudgetSpec(space, name, fields.Text("for") ?? name)
        {
            MinAvailable = fields.Text("minAvailable"),
            MaxUnavailable = fields.Text("maxUnavailable"),
        };
        return (budget.MinAvailable is null) != (budget.MaxUnavailable is null)
            ? budget
            : throw fields.Refusal("minAvailable", "one of minAvailable and maxUnavailable, not both");
    }

    private static VirtualMachineSpec ReadVirtualMachine(YamlFields fields)
    {
        var (space, name) = fields.Reference("name");
        var machine = new VirtualMachineSpec(space, name);
        return machine with
        {
            On = fields.Text("on"),
            RunStrategy = fields.OneOf("runStrategy", "Always", "RerunOnFailure", "Manual", "Halted", "Once", "WaitAsReceiver") ?? machine.RunStrategy,
            EvictionStrategy = fields.OneOf("evictionStrategy", EvictionStrategies),
            NotMigratable = fields.OneOf("notMigratable", [.. KubeVirt.MigrationReasons.All]),
            Copy = fields.Duration("copy") ?? machine.Copy,
            Shutdown = fields.Duration("shutdown") ?? machine.Shutdown,
            Memory = fields.Text("memory") ?? machine.Memory,
            Hotplug = fields.Flag("hotplug") ?? false,
            FailingMigrations = fields.Int("failingMigrations") ?? 0,
        };
    }

    private static Expectation ReadExpectation(YamlFields fields) => new()
    {
        Outcome = fields.OneOf("outcome", "Completed", "Failed", "Cancelled", "Refused"),
        Within = fields.Duration("within") ?? TimeSpan.FromMinutes(1),
        Schedulable = fields.Flag("schedulable") ?? true,
        Ready = fields.Flag("ready") ?? true,
        PodsOff = fields.Int("podsOff"),
        VirtualMachines = fields.EnumMap<VirtualMachineEnd>("virtualMachines"),
    };

    // A name that means nothing would silently never happen.
    private static void CheckReferences(Scenario scenario, YamlFields file)
    {
        var nodes = scenario.Nodes.Select(node => node.Name).ToList();
        var machines = scenario.VirtualMachines.Select(vm => $"{vm.Namespace}/{vm.Name}").ToList();
        var budgets = scenario.Budgets.Select(budget => $"{budget.Namespace}/{budget.Name}").ToList();
        Known(file, "maintain", scenario.Maintain is { } node ? [node] : [], nodes);
        Known(file, "workloads.on", scenario.Workloads.SelectMany(each => each.On), nodes);
        Known(file, "virtualMachines.on", scenario.VirtualMachines.Select(vm => vm.On).OfType<string>(), nodes);
        Known(file, "expect.virtualMachines", scenario.Expect.VirtualMachines.Keys, machines);
        foreach (var fault in scenario.Faults)
        {
            Known(file, $"faults.{fault.Kind}", [fault.Target], FaultReader.TargetOf(fault.Kind) switch
            {
                FaultTarget.Budget => budgets,
                FaultTarget.Machine => machines,
                FaultTarget.Workload => [.. scenario.Workloads.Select(each => $"{each.Namespace}/{each.Name}")],
                FaultTarget.Host => [.. scenario.Nodes.Where(node => node.BareMetalHost is not null).Select(node => node.Name)],
                FaultTarget.Node => nodes,
                _ => [fault.Target],
            });
        }
    }

    private static void Known(YamlFields file, string field, IEnumerable<string> names, List<string> known)
    {
        if (names.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
        {
            throw file.UnknownName(field, unknown, known.Count == 0 ? "none, because there are none" : string.Join(", ", known));
        }
    }
}
