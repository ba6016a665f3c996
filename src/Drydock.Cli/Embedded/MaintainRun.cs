using System.Runtime.CompilerServices;
using Drydock.Api;
using Drydock.Cli.CommandLine;
using Drydock.Cli.Following;
using Drydock.Cli.Output;
using Drydock.Cli.Verbs;
using Drydock.Kubernetes;

namespace Drydock.Cli.Embedded;

/// <summary>One run of <c>maintain</c>: begins a maintenance or goes on with the one that is under way, and follows it to its end.</summary>
internal sealed class MaintainRun(MaintainOptions options, IOutput output, Terminal terminal)
{
    private MaintenanceView? _last;
    private bool _saidHold;

    /// <summary>Runs it.</summary>
    /// <returns>An exit code: how the maintenance ended.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var uid = await ReadClusterUidAsync(cancellationToken);
        var database = StateFile.For(uid, terminal);
        await using var drydock = EmbeddedDrydock.Build(options.Connection, database, terminal.Variable("DRYDOCK_DEBUG") is not null, options.Files);
        if (options.Wish == MaintainWish.PlanOnly)
        {
            var plan = await PlanVerb.ReadAsync(drydock, options.Request, cancellationToken);
            output.Plan(plan);
            return plan.CanStart ? ExitCodes.Done : ExitCodes.Refused;
        }

        await drydock.StartAsync(cancellationToken);
        var running = await drydock.Maintenances.FindRunningAsync(options.Node, cancellationToken);
        await SayWhatElseGoesOnAsync(drydock, cancellationToken);
        var code = running is null
            ? await BeginAsync(drydock, database, cancellationToken)
            : await GoOnAsync(drydock, running, cancellationToken);
        return code;
    }

    /// <summary>The same database is opened, so whatever is unfinished in it goes on in this process too.</summary>
    private async Task SayWhatElseGoesOnAsync(EmbeddedDrydock drydock, CancellationToken cancellationToken)
    {
        var others = (await drydock.Maintenances.ListAsync(null, onlyRunning: true, cancellationToken)).Items.Where(view => view.Node != options.Node).ToList();
        if (others.Count > 0)
        {
            output.Say(
                "others",
                $"Also unfinished here, and going on while this runs: {string.Join(", ", others.Select(view => $"{view.Node} ({view.State}, {view.Id})"))}.",
                new { others = others.Select(view => new { view.Id, view.Node, view.State }).ToList() });
        }
    }

    private async Task<string> ReadClusterUidAsync(CancellationToken cancellationToken)
    {
        await using var cluster = KubernetesCluster.Open(options.Connection, terminal.Clock);
        return (await cluster.GetIdentityAsync(cancellationToken)).Uid;
    }

    private async Task<int> BeginAsync(EmbeddedDrydock drydock, string database, CancellationToken cancellationToken)
    {
        if (options.Wish is MaintainWish.Cancel or MaintainWish.Complete)
        {
            throw new CommandFailedException(
                ExitCodes.BadInput,
                $"No maintenance of node {options.Node} is under way in {database}.",
                $"If the node still carries marks, 'drydock restore {options.Node}' puts it back.");
        }

        var plan = await PlanVerb.ReadAsync(drydock, options.Request, cancellationToken);
        output.Plan(plan);
        if (!plan.CanStart)
        {
            var why = plan.Findings.First(finding => finding.Severity == "Refuses");
            throw new CommandFailedException(ExitCodes.Refused, $"{why.Message} Nothing was changed.", why.NextStep);
        }

        if (options.AskFirst && !await AskAsync(cancellationToken))
        {
            output.Say("declined", "Nothing was changed.");
            return ExitCodes.Done;
        }

        var view = (await drydock.Maintenances.CreateAsync(options.Request, Caller.Name, null, cancellationToken)).ValueOrThrow();
        output.Say("started", $"Maintenance {view.Id} began; its state is in {database}.", new { id = view.Id, database });
        return await FollowAsync(drydock, view.Id, cancellationToken);
    }

    private async Task<int> GoOnAsync(EmbeddedDrydock drydock, MaintenanceView running, CancellationToken cancellationToken)
    {
        var id = running.Id;
        output.Say(
            "resumed",
            $"Maintenance {id} of node {options.Node} is under way since {running.StartedAt.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z; going on from step {running.Step}.",
            new { id, step = running.Step, startedAt = running.StartedAt });
        switch (options.Wish)
        {
            case MaintainWish.Cancel:
                var cancelled = await drydock.Maintenances.CancelAsync(
                    id, Caller.Name, new MaintenanceCancelRequest(options.Request.Reason, options.Request.VirtualMachines?.OnCancel), cancellationToken);
                if (!cancelled.IsOk && cancelled.Problem.Type == ProblemTypes.WrongState)
                {
                    // It ends by itself, and nobody else sees it to its end.
                    output.Say("restoring", cancelled.Problem.Detail!);
                }
                else
                {
                    cancelled.ValueOrThrow();
                    output.Say("cancelling", "Cancelling: everything is being put back.");
                }

                var code = await FollowAsync(drydock, id, cancellationToken);
                return code == ExitCodes.Cancelled ? ExitCodes.Done : code;
            case MaintainWish.Complete:
                (await drydock.Maintenances.CompleteAsync(id, Caller.Name, new CompleteRequest(), cancellationToken)).ValueOrThrow();
                break;
        }

        return await FollowAsync(drydock, id, cancellationToken);
    }

    private async Task<int> FollowAsync(EmbeddedDrydock drydock, string id, CancellationToken cancellationToken)
    {
        try
        {
            var last = await output.FollowAsync(EventsAsync(drydock, id, cancellationToken), cancellationToken)
                ?? throw new CommandFailedException(ExitCodes.Failed, $"Maintenance {id} is gone from the database.");
            output.Summary(last);
            return Ending.ExitCode(last);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await SayWhatStaysAsync(drydock);
            return ExitCodes.Interrupted;
        }
    }

    private async IAsyncEnumerable<ProgressEvent> EventsAsync(EmbeddedDrydock drydock, string id, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var view in drydock.Maintenances.WatchAsync(id, cancellationToken))
        {
            _last = view;
            yield return new ProgressEvent.Changed(view);
            if (view.State == MaintenanceState.Holding && !_saidHold)
            {
                _saidHold = true;
                yield return HoldNote();
            }
        }
    }

    private ProgressEvent.Note HoldNote() => new(
        "holding", $"the node is drained and held; Ctrl-C leaves it so, '{options.Command} --complete' goes on, '{options.Command} --cancel' puts it back");

    private async Task SayWhatStaysAsync(EmbeddedDrydock drydock)
    {
        var changed = await StillChanged.ReadAsync(drydock.Cluster, _last, options.Node);
        var text = string.Join(
            Environment.NewLine,
            [
                "",
                changed.Count == 0 ? "Interrupted; nothing is changed in the cluster." : "Interrupted. This stays changed in the cluster:",
                .. changed.Select(sentence => $"  {sentence}"),
                $"Go on:              {options.Command}",
                $"Put it back:        {options.Command} --cancel",
            ]);
        output.Say("interrupted", text, new { stillChanged = changed, goOn = options.Command, cancel = $"{options.Command} --cancel" });
    }

    private async Task<bool> AskAsync(CancellationToken cancellationToken)
    {
        await terminal.Output.WriteAsync($"Maintain node {options.Node} now? [y/N] ");
        await terminal.Output.FlushAsync(cancellationToken);
        return (await Console.In.ReadLineAsync(cancellationToken))?.Trim() is "y" or "Y" or "yes";
    }
}
