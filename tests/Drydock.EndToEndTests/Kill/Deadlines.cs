using System.Text.Json;
using Drydock.Api;
using Shouldly;

namespace Drydock.EndToEndTests.Kill;

/// <summary>The deadlines that a run of <c>maintain -o json</c> told, each under what it is the deadline of.</summary>
internal static class Deadlines
{
    /// <summary>No deadline that the first process told is another one in the second.</summary>
    /// <returns>How many deadlines both told.</returns>
    public static int ShouldBeTheSame(string before, string after)
    {
        var told = Read(before).ToLookup(static pair => pair.Of, static pair => pair.At);
        var again = Read(after).ToLookup(static pair => pair.Of, static pair => pair.At);
        var both = told.Where(deadline => again.Contains(deadline.Key)).ToList();
        foreach (var deadline in both)
        {
            again[deadline.Key].Concat(deadline).Distinct().ShouldHaveSingleItem(
                $"The deadline of {deadline.Key} was {deadline.First():O} before the kill and is {again[deadline.Key].Last():O} after it.");
        }

        return both.Count;
    }

    private static IEnumerable<(string Of, DateTimeOffset At)> Read(string output) => Views(output).SelectMany(static view =>
        Step(view).Concat(view.Vms.Where(static vm => vm.Deadline is not null).Select(static vm => (Of(vm), vm.Deadline!.Value))));

    private static IEnumerable<(string Of, DateTimeOffset At)> Step(MaintenanceView view) =>
        view.Deadline is { } at ? [($"step {view.Step}", at)] : [];

    /// <summary>A virtual machine has a deadline on each rung, so a rung is named by all that tells it from the others.</summary>
    private static string Of(VmView vm) => $"{vm.Namespace}/{vm.Name} {vm.Progress} {vm.Phase} attempt {vm.Attempts}";

    private static IEnumerable<MaintenanceView> Views(string output) => output.Split('\n')
        .Where(static line => line.StartsWith("{\"type\":\"progress\"", StringComparison.Ordinal))
        .Select(static line => JsonDocument.Parse(line).RootElement.GetProperty("maintenance").Deserialize<MaintenanceView>(ApiJson.Options)!);
}
