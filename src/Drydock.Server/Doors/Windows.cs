using System.Text.Json;
using Drydock.Api;
using Drydock.Maintenance;
using Drydock.Maintenance.Rollouts;

namespace Drydock.Server;

/// <summary>Sets up, removes and reads maintenance windows. What it acknowledges is durable.</summary>
public sealed class Windows
{
    private const int Upcoming = 3;
    private const int MostUpcoming = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);

    private readonly DurableTaskClient _client;
    private readonly WindowRequests _requests;
    private readonly InstanceFeed _feed;
    private readonly TimeProvider _clock;

    internal Windows(DurableTaskClient client, WindowRequests requests, InstanceFeed feed, TimeProvider clock) =>
        (_client, _requests, _feed, _clock) = (client, requests, feed, clock);

    /// <summary>Sets up a window; to set up the same one again is harmless, another one of that name, or one that is being removed, is refused.</summary>
    public async Task<Answer<WindowView>> CreateAsync(WindowCreate create, Requester requestedBy, CancellationToken cancellationToken)
    {
        // To set up the same again is that also when a node that it names is not there any more.
        var isRepetition = create.Name is { } known && KubernetesName.IsLabel(known) && await FindInstanceAsync(known, cancellationToken) is not null;
        var read = await _requests.ReadAsync(create, requestedBy, mustExist: !isRepetition, cancellationToken);
        if (!read.IsOk)
        {
            return read.Problem;
        }

        var id = IdOf(create.Name!);
        try
        {
            await _client.ScheduleNewOrchestrationInstanceAsync(
                Orchestrations.Window, read.Value, Instances.StartUnlessRunning(id), cancellationToken);
        }
        catch (OrchestrationAlreadyExistsException)
        {
            var before = await FindInstanceAsync(create.Name!, cancellationToken);
            if (before is null || IsBeingRemoved(before))
            {
                return Problems.WrongState(
                    create.Name!, $"Window '{create.Name}' is being removed; the nodes in hand are not done yet. Try again when it is gone.");
            }

            if (before.ReadInputAs<WindowRequest>() is not { } first || Text(first) != Text(read.Value))
            {
                return Problems.WrongState(create.Name!, $"There is a window '{create.Name}' already, with other settings. Delete it first.");
            }
        }

        return await FindAsync(create.Name!, cancellationToken) is { } view ? view : Problems.NotFound("window", create.Name!);
    }

    /// <summary>The window, or null if there is none of that name.</summary>
    public async Task<WindowView?> FindAsync(string name, CancellationToken cancellationToken) =>
        await FindInstanceAsync(name, cancellationToken) is { } instance ? View(instance, Upcoming) : null;

    /// <summary>The window with that many of its coming openings.</summary>
    public async Task<Answer<WindowView>> NextAsync(string name, int? count, CancellationToken cancellationToken)
    {
        var reader = new FieldReader();
        var next = reader.Number("next", count, Upcoming, 1, MostUpcoming);
        return reader.Errors.Count > 0 ? Problems.Invalid(reader.Errors)
            : await FindInstanceAsync(name, cancellationToken) is { } instance ? View(instance, next)
            : Problems.NotFound("window", name);
    }

    /// <summary>All windows, by name.</summary>
    public async Task<IReadOnlyList<WindowView>> ListAsync(CancellationToken cancellationToken)
    {
        var views = new List<WindowView>();
        await foreach (var instance in Instances.RunningAsync(_client, Orchestrations.Window, cancellationToken))
        {
            views.Add(View(instance, Upcoming));
        }

        return [.. views.OrderBy(static view => view.Name, StringComparer.Ordinal)];
    }

    /// <summary>
    /// No further window opens; a rollout under way takes no new node, and nodes that would be held for good are put back. Returns when the
    /// window knows, so that whatever is asked afterwards is not answered with the window of before.
    /// </summary>
    public async Task<Answer<WindowView>> DeleteAsync(string name, Requester by, string? reason, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(by);
        if (Problems.OfReason(reason) is { } invalid)
        {
            return invalid;
        }

        if (await FindAsync(name, cancellationToken) is not { } view)
        {
            return Problems.NotFound("window", name);
        }

        var cancel = new Cancel(by.Name, reason) { RequestedFrom = by.Address, PutsBack = true };
        await _client.RaiseEventAsync(IdOf(name), WindowEvents.Cancel, cancel, cancellationToken);
        return await KnowsAsync(name, cancellationToken)
            ? view
            : new Problem(
                ProblemTypes.Unavailable, "Not removed yet", 503,
                $"Window '{name}' was told to go and has not said that it knows within {Patience.TotalSeconds:0} s. It goes as soon as the task hub works; look at it again before another is set up.")
            { SubjectId = name };
    }

    private async Task<bool> KnowsAsync(string name, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            await foreach (var _ in _feed.WakeUpsAsync(IdOf(name), either.Token))
            {
                if (await FindInstanceAsync(name, either.Token) is not { } instance || IsBeingRemoved(instance))
                {
                    return true;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // Not in that time.
        }

        return false;
    }

    private async Task<OrchestrationMetadata?> FindInstanceAsync(string name, CancellationToken cancellationToken) =>
        await _client.GetInstanceAsync(IdOf(name), getInputsAndOutputs: true, cancellationToken)
            is { Name: Orchestrations.Window, IsCompleted: false } instance ? instance : null;

    private WindowView View(OrchestrationMetadata instance, int count)
    {
        var request = instance.ReadInputAs<WindowRequest>()
            ?? throw new InvalidOperationException($"Instance '{instance.InstanceId}' has no input.");
        var status = instance.ReadCustomStatusAs<WindowStatus>();
        return new WindowView(instance.InstanceId[IdOf("").Length..], status?.ClosesAt is not null)
        {
            Times = [.. request.AllTimes.Select(Describe)],
            OnClose = request.OnClose.ToString(),
            Message = status?.Message,
            ClosesAt = status?.ClosesAt,
            Next = IsBeingRemoved(instance) ? [] : Coming(request, count),
            RolloutId = status?.Rollout,
        };
    }

    private IReadOnlyList<OpeningView> Coming(WindowRequest request, int count) =>
        [.. WindowCalendar.Shown(request, _clock.GetUtcNow(), count).Select(static opening => new OpeningView(opening.From, opening.To))];

    private static bool IsBeingRemoved(OrchestrationMetadata instance) => instance.ReadCustomStatusAs<WindowStatus>() is { IsCancelled: true };

    private static string Describe(WindowTimes times) => times.Cron is { } cron
        ? $"{cron} for {DurationText.Format(times.Duration)} ({times.TimeZone})"
        : $"once, {times.From:u} to {times.To:u}";

    private static string IdOf(string name) => InstanceIds.Window(name);

    private static string Text(WindowRequest request) => JsonSerializer.Serialize(request with
    {
        State = null,
        Rollout = request.Rollout with { Template = request.Rollout.Template with { RequestedBy = null, RequestedFrom = null, HubId = "" } },
    });
}
