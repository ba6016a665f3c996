using Drydock.DurableTask.Execution;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf;
using Shouldly;

namespace Drydock.UnitTests.DurableTask.Execution;

/// <summary>The sections of <c>Recorded/wire-samples.txt</c>.</summary>
internal static class RecordedSamples
{
    private static readonly Dictionary<string, List<string>> _sections = Read();

    public static IEnumerable<string> Titles => _sections.Keys;

    /// <summary>
    /// The turn must be what the official SDK sent in the case of that title, but for stack traces, what we add to messages, and the
    /// mark of failures that cannot be retried, which it loses on the way and we keep.
    /// </summary>
    public static void ShouldBeAsRecorded(this OrchestrationTurn turn, string title)
    {
        var lines = _sections[title];
        var status = lines.SingleOrDefault(static line => line.StartsWith("customStatus: ", StringComparison.Ordinal));
        var expected = lines.Where(static line => line.StartsWith('{')).Select(OrchestratorAction.Parser.ParseJson);

        turn.CustomStatus.ShouldBe(status?["customStatus: ".Length..]);
        turn.Actions.Select(Normalize).ShouldBe(expected.Select(Normalize));
    }

    private static string Normalize(OrchestratorAction action)
    {
        var copy = action.Clone();
        if (copy.CompleteOrchestration is { } completion)
        {
            completion.Result = completion.Result is { } result ? WithoutOurs(result) : null;
            for (var failure = completion.FailureDetails; failure is not null; failure = failure.InnerFailure)
            {
                failure.StackTrace = null;
                failure.IsNonRetriable = false;
                failure.ErrorMessage = WithoutOurs(failure.ErrorMessage);
            }
        }

        return JsonFormatter.Default.Format(copy);
    }

    private static string WithoutOurs(string message) => message.Split(" [orchestrator '")[0];

    private static Dictionary<string, List<string>> Read()
    {
        using var stream = typeof(RecordedSamples).Assembly.GetManifestResourceStream("wire-samples.txt")!;
        using var reader = new StreamReader(stream);
        var sections = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        List<string> lines = [];
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith("## ", StringComparison.Ordinal))
            {
                sections.Add(line[3..], lines = []);
            }
            else if (line.Length > 0)
            {
                lines.Add(line);
            }
        }

        return sections;
    }
}
