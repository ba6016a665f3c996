using System.Text.Json;
using Drydock.Kubernetes;

namespace Drydock.Maintenance.Drain;

/// <summary>What a drain tells people: its status, what holds it up, what became of each pod. Pure.</summary>
internal static class DrainTelling
{
    // Custom status must stay under 16 KiB (design D13).
    private const int MaxBlockers = 20;
    private const int MaxMachines = 20;
    private const int MaxMessage = 300;
    private const int MaxBytes = 12 * 1024;
    private const int BytesOfTheRest = 300;

    /// <summary>The custom status. The launcher pods that migrated machines leave behind are counted with the machines, not here.</summary>
    public static DrainStatus StatusOf(DrainState state, DateTimeOffset deadline, DrainPolicy policy, DateTimeOffset now, string node = "")
    {
        var pods = state.Pods.Where(pod => !pod.IsLauncher).ToList();
        DateTimeOffset? decides = state.WasEmpty || state.SuspendedAt is not null ? null
            : state.IsForced ? ForceEnds(deadline, policy) is var ends && now < ends ? ends : null
            : state.IsOverdue ? null
            : deadline;
        return new DrainStatus(pods.Count + state.Forgotten, pods.Count(pod => pod.GoneAt is not null) + state.Forgotten)
        {
            Terminating = pods.Count(pod => pod is { IsLeaving: true, HoldsDrain: true }),
            Deadline = decides,
            Blockers = [.. Unseen(state, node), .. Blockers(state, now, decides)],
            MachinesInOrder = InOrder(state),
            OrderInHand = state.NewVms.Count == 0 ? 0 : PodSchedule.LowestOrder(state.Pods, state.MachineOrder),
        };
    }

    // Nobody looks after a machine that was not told yet: this is all that is known of it.
    private static List<ObjectRef>? InOrder(DrainState state) => state.NewVms.Count == 0 ? null : [.. state.NewVms.Take(MaxMachines)];

    /// <summary>How long a drain that deletes by force waits for what is stuck all the same.</summary>
    public static DateTimeOffset ForceEnds(DateTimeOffset deadline, DrainPolicy policy) => deadline + policy.Timeout;

    /// <summary>What holds the drain up, the longest first.</summary>
    public static IReadOnlyList<Blocker> Blockers(DrainState state, DateTimeOffset now, DateTimeOffset? deadline = null)
    {
        // One pod asks for all that an exhausted budget holds: its next try is theirs.
        var probes = state.Pods.Where(pod => pod is { IsOpen: true, HeldBy: Answers.BudgetExhausted, Budget: not null }).GroupBy(pod => pod.Budget!, StringComparer.Ordinal)
            .ToDictionary(budget => budget.Key, budget => budget.Max(pod => pod.NextTry), StringComparer.Ordinal);
        return
        [
            .. Fitting(state.Pods.Where(pod => pod.HoldsDrain)
                .Select(pod => BlockerOf(pod is { HeldBy: Answers.BudgetExhausted, Budget: { } budget } && probes.TryGetValue(budget, out var next) ? pod with { NextTry = next } : pod, now, deadline))
                .Concat(Volumes(state, deadline)).OfType<Blocker>().OrderBy(blocker => blocker.Since).Take(MaxBlockers)),
        ];
    }

    /// <summary>Everything that is still there, counted; null if nothing is.</summary>
    public static LeftOnNode? WhatIsLeft(DrainState state, DateTimeOffset now)
    {
        var there = state.Pods.Where(pod => pod is { HoldsDrain: true } and ({ IsLauncher: false } or { Waits: true })).ToList();
        if (there.Count + state.Attached.Count == 0)
        {
            return null;
        }

        var held = there.Where(pod => BlockerOf(pod, now, null) is not null).ToList();
        var leaving = there.Where(pod => pod is { IsLeaving: true, Stuck: null, Waits: false, Denied: null }).OrderBy(pod => pod.LeavingSince).ToList();
        var longest = held.Select(pod => BlockerOf(pod, now, null)!).MinBy(blocker => blocker.Since);
        return new LeftOnNode(held.Count, leaving.Count, there.Count - held.Count - leaving.Count, state.Attached.Count)
        {
            Longest = longest is null ? null : $"{longest.Pod} ({longest.Kind})",
            LongestLeaving = leaving.Count == 0 ? null : $"{leaving[0].Ns}/{leaving[0].Name}",
            LeavingSince = leaving.Count == 0 ? null : leaving[0].LeavingSince,
            LateAlone = there.Where(pod => pod.Deadline <= now).MinBy(pod => pod.Deadline) is { } late ? $"{late.Ns}/{late.Name}" : null,
        };
    }

    /// <summary>For the report.</summary>
    public static PodResult ResultOf(PodEntry pod) =>
        new(new(pod.Ns, pod.Name), pod.Uid, pod.GoneAt is not null, pod.Attempts, pod.AcceptedAt, pod.GoneAt, pod.GoneAt is null ? Short(pod.Stuck ?? pod.Message) : null)
        {
            IsLauncher = pod.IsLauncher,
        };

    private static Blocker? BlockerOf(PodEntry pod, DateTimeOffset now, DateTimeOffset? deadline) => pod switch
    {
        { Denied: not null } => New(pod, Answers.Denied, $"pod/{pod.Ns}/{pod.Name}", pod.Message, now, deadline),
        { IsSpared: true } => New(pod, Answers.AwaitCompletion, $"pod/{pod.Ns}/{pod.Name}", pod.Message, now, deadline) with { NextStep = Answers.WhileMachineRuns },
        { Waits: true } => New(pod, Answers.AwaitCompletion, $"pod/{pod.Ns}/{pod.Name}", pod.Message, now, deadline),
        { Stuck: { } why } => New(pod, Answers.StuckTerminating, $"pod/{pod.Ns}/{pod.Name}", why, pod.LeavingSince ?? now, deadline),
        { HeldBy: { } kind } when Answers.IsBlocker(kind) => New(pod, kind, pod.Object ?? Default(pod), pod.Message, now, deadline),
        _ => null,
    };

    private static Blocker New(PodEntry pod, string kind, string? lookAt, string? message, DateTimeOffset since, DateTimeOffset? deadline) => new(
        kind, $"{pod.Ns}/{pod.Name}", lookAt, Short(message), pod.HeldSince ?? since, pod.Attempts, pod.NextTry, Earlier(pod.Deadline, deadline),
        Answers.NextStep(kind, lookAt));

    private static IEnumerable<Blocker> Unseen(DrainState state, string node) => state is { Unseen: { } why, UnseenSince: { } since }
        ? [new Blocker(Answers.Unseen, node, $"node/{node}", Short(why), since, 0, null, null, Answers.NextStep(Answers.Unseen, null))]
        : [];

    private static IEnumerable<Blocker> Fitting(IEnumerable<Blocker> blockers)
    {
        var room = MaxBytes;
        return blockers.TakeWhile(blocker => (room -= SizeOf(blocker)) >= 0);
    }

    private static int SizeOf(Blocker blocker) => BytesOfTheRest
        + new[] { blocker.Kind, blocker.Pod, blocker.Object, blocker.Message, blocker.NextStep }.OfType<string>().Sum(static text => JsonEncodedText.Encode(text).EncodedUtf8Bytes.Length);

    private static string? Default(PodEntry pod) => pod.Budget is { } budget ? $"poddisruptionbudget/{budget}" : $"pod/{pod.Ns}/{pod.Name}";

    private static IEnumerable<Blocker> Volumes(DrainState state, DateTimeOffset? deadline) => state.Attached.Select(volume => new Blocker(
        Answers.VolumeAttached, volume, $"volumeattachment/{volume.Split(':')[0]}", Short(volume), state.AttachedSince ?? default, 0, null, deadline,
        Answers.NextStep(Answers.VolumeAttached, null)));

    private static DateTimeOffset? Earlier(DateTimeOffset? one, DateTimeOffset? other) => one is null || other < one ? other : one;

    private static string? Short(string? message) => message?.Length > MaxMessage ? message[..MaxMessage] + "…" : message;
}
