using System.CommandLine;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Output;

namespace Drydock.Cli.Verbs;

/// <summary><c>vm list|show|start|stop|restart|migrate</c>: single virtual machines, with KubeVirt's answers explained.</summary>
internal static class VmVerb
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);

    public static Command Create(Terminal terminal) => new Verb(
        "vm", "Look at virtual machines; start, stop, restart or migrate one.", "drydock vm list --node worker-1", "drydock vm stop shop/database --wait")
    {
        List(terminal), Show(terminal),
        Call(terminal, "start", "Start a virtual machine. One that runs already is left alone.", "drydock vm start shop/database --wait"),
        Call(
            terminal, "stop", "Stop a virtual machine. With run strategy Always or Once KubeVirt sets it to Halted; with Manual or RerunOnFailure it keeps it.",
            "drydock vm stop shop/database --grace-period 2m --wait"),
        Call(terminal, "restart", "Restart a virtual machine that runs. Not with run strategy Halted or Once.", "drydock vm restart shop/database"),
        Call(
            terminal, "migrate", "Migrate a running virtual machine to another node without a stop.",
            "drydock vm migrate shop/database", "drydock vm migrate shop/database --to worker-2 --wait"),
    };

    private static Verb List(Terminal terminal)
    {
        var space = new Option<string?>("--namespace", "-n") { Description = "Only of this namespace.", HelpName = "name" };
        var node = new Option<string?>("--node") { Description = "Only those that run on this node.", HelpName = "name" };
        return ServerVerb.Create(
            terminal, new Verb("list", "List virtual machines.", "drydock vm list --node worker-1") { space, node }, async (call, cancellationToken) =>
            {
                var vms = await call.Client.ListVirtualMachinesAsync(call.Parsed.GetValue(space), call.Parsed.GetValue(node), cancellationToken);
                call.Output.Document(
                    vms,
                    vms.Count == 0
                        ? ["No virtual machines."]
                        : Columns.Align("", [["VM", "STATUS", "RUN STRATEGY", "NODE", "EVICTION", "MIGRATABLE"], .. vms.Select(Row)]));
                return ExitCodes.Done;
            });
    }

    private static Verb Show(Terminal terminal)
    {
        var vm = Machine();
        return ServerVerb.Create(
            terminal, new Verb("show", "Show a virtual machine.", "drydock vm show shop/database") { vm }, async (call, cancellationToken) =>
            {
                var (space, name) = Split(call.Parsed.GetValue(vm)!);
                var view = await call.Client.GetVirtualMachineAsync(space, name, cancellationToken);
                call.Output.Document(view, Lines(view));
                return ExitCodes.Done;
            });
    }

    private static Verb Call(Terminal terminal, string action, string description, params string[] examples)
    {
        var vm = Machine();
        var wait = new Option<bool>("--wait") { Description = "Wait until the machine shows it." };
        var atMost = CommonOptions.Duration("--wait-timeout", "How long to wait. Default 5m.");
        var (reason, key) = (CommonOptions.Reason(), SteerVerbs.Key());
        var verb = new Verb(action, description, examples) { vm, wait, atMost, reason, key };
        var grace = CommonOptions.Duration("--grace-period", action == "restart" ? "Only 0s: by force." : "How long the guest may take; 0s by force. Default: the machine's own.");
        var to = new Option<string?>("--to") { Description = "The node to go to. Default: the scheduler's choice.", HelpName = "node" };
        if (action is "stop" or "restart")
        {
            verb.Options.Add(grace);
        }

        if (action == "migrate")
        {
            verb.Options.Add(to);
        }

        return ServerVerb.Create(terminal, verb, async (call, cancellationToken) =>
        {
            var (space, name) = Split(call.Parsed.GetValue(vm)!);
            var options = new VirtualMachineCall
            {
                GracePeriod = action is "stop" or "restart" ? call.Parsed.GetValue(grace) : null,
                Reason = call.Parsed.GetValue(reason),
                ToNode = action == "migrate" ? call.Parsed.GetValue(to) : null,
            };
            var before = await call.Client.GetVirtualMachineAsync(space, name, cancellationToken);
            var view = await call.Client.CallVirtualMachineAsync(space, name, action, options, call.Parsed.GetValue(key), cancellationToken);
            var isSo = true;
            if (call.Parsed.GetValue(wait) && view.IsChanged)
            {
                var patience = DurationText.TryParse(call.Parsed.GetValue(atMost) ?? "", out var given) ? given : TimeSpan.FromMinutes(5);
                (isSo, var last) = await WaitAsync(call, before, action, patience, cancellationToken);
                view = view with { Status = last.Status, Message = isSo ? $"{view.Message} {Where(last)}" : $"{view.Message} It has not come to that yet: {Where(last)}" };
            }

            call.Output.Document(view, [view.Message]);
            return isSo ? ExitCodes.Done : ExitCodes.Failed;
        });
    }

    private static async Task<(bool IsSo, VirtualMachineView Last)> WaitAsync(
        ServerCall call, VirtualMachineView before, string action, TimeSpan patience, CancellationToken cancellationToken)
    {
        var clock = TimeProvider.System;
        var until = clock.GetUtcNow() + patience;
        while (true)
        {
            var now = await call.Client.GetVirtualMachineAsync(before.Namespace, before.Name, cancellationToken);
            var isSo = action switch
            {
                "stop" => now.Phase is null or "Succeeded" or "Failed",
                "migrate" => now is { Phase: "Running", Migrating: null } && now.Node != before.Node,
                _ => now is { Phase: "Running", Status: "Running" },
            };
            if (isSo || clock.GetUtcNow() >= until)
            {
                return (isSo, now);
            }

            await Task.Delay(LookEvery, clock, cancellationToken);
        }
    }

    private static Argument<string> Machine()
    {
        var vm = new Argument<string>("vm") { Description = "The virtual machine as NAMESPACE/NAME." };
        vm.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && token.Value.Split('/') is not [{ Length: > 0 }, { Length: > 0 }])
            {
                result.AddError($"'{token.Value}' does not name a virtual machine; give NAMESPACE/NAME.");
            }
        });
        return vm;
    }

    private static (string Namespace, string Name) Split(string vm) => (vm.Split('/')[0], vm.Split('/')[1]);

    private static string[] Row(VirtualMachineView vm) =>
    [
        $"{vm.Namespace}/{vm.Name}", vm.Migrating is { } phase ? $"migrating ({phase})" : vm.Status ?? vm.Phase ?? "Stopped", vm.RunStrategy ?? "no VM", vm.Node ?? "",
        vm.EvictionStrategy ?? "", vm.IsLiveMigratable switch { true => "yes", false => "no", null => "" },
    ];

    private static string Where(VirtualMachineView vm) =>
        vm.Phase is null or "Succeeded" or "Failed" ? "It is down." : $"It is {vm.Status ?? vm.Phase}{(vm.Node is { } node ? $" on {node}" : "")}.";

    private static IEnumerable<string> Lines(VirtualMachineView vm)
    {
        yield return $"Virtual machine {vm.Namespace}/{vm.Name}: {Where(vm)}";
        yield return $"  run strategy       {vm.RunStrategy ?? "none: it has no VirtualMachine, nothing starts it again"}";
        if (vm.EvictionStrategy is { } eviction)
        {
            yield return $"  eviction strategy  {eviction}";
            yield return $"  live-migratable    {(vm.IsLiveMigratable == true ? "yes" : $"no ({vm.WhyNotMigratable})")}";
        }

        if (vm.Migrating is { } phase)
        {
            yield return $"  migration          {phase}";
        }

        if (vm.HeldBy is { } holder)
        {
            yield return $"  stopped by         {holder}, which starts it again";
        }
    }
}
