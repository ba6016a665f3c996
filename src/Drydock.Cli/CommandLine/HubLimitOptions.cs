using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Drydock.Api;
using Drydock.DurableTask.Protobuf;
using Drydock.DurableTask.TaskHub;

namespace Drydock.Cli.CommandLine;

/// <summary>What a task hub does not do for ever, give out what kills workers and keep what has ended, and what it does not keep in its rows.</summary>
internal sealed class HubLimitOptions
{
    private static readonly IReadOnlyDictionary<string, OrchestrationStatus[]> Statuses = new Dictionary<string, OrchestrationStatus[]>(StringComparer.OrdinalIgnoreCase)
    {
        ["completed"] = [OrchestrationStatus.Completed],
        ["failed"] = [OrchestrationStatus.Failed],
        ["terminated"] = [OrchestrationStatus.Terminated],
        ["all"] = [OrchestrationStatus.Completed, OrchestrationStatus.Failed, OrchestrationStatus.Terminated, OrchestrationStatus.Canceled],
    };

    private readonly Option<int?> _deliveries = new("--max-deliveries")
    {
        Description = "How often a step is given out whose worker, or the whole process, ends each time before it answers; then it fails, and says so, instead of being given out again. 0: no limit. Default 10.",
        HelpName = "0-1000",
        CustomParser = result => Number(result, "--max-deliveries", 1000),
    };

    private readonly Option<(string Status, TimeSpan Age)[]> _retain = new("--retain")
    {
        Description = "How long ended orchestrations are kept, by how they ended: completed, failed, terminated or all. They go with everything they have, within the hour. May be given several times, the later one counts. Default: for ever.",
        HelpName = "status=duration",
        CustomParser = Retained,
        AllowMultipleArgumentsPerToken = false,
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<int?> _largePayload = new("--large-payload-threshold")
    {
        Description = "Inputs, results and payloads of orchestrations of more characters are stored once, apart from the history that refers to them. Default 16384.",
        HelpName = "0-1000000",
        CustomParser = result => Number(result, "--large-payload-threshold", 1_000_000),
    };

    public void AddTo(Command verb)
    {
        verb.Options.Add(_deliveries);
        verb.Options.Add(_retain);
        verb.Options.Add(_largePayload);
    }

    /// <summary>What the options say about a hub; null if they say nothing.</summary>
    public Action<TaskHubOptions>? Read(ParseResult parsed)
    {
        if (parsed.GetResult(_deliveries) is null && parsed.GetResult(_retain) is null && parsed.GetResult(_largePayload) is null)
        {
            return null;
        }

        var deliveries = parsed.GetValue(_deliveries);
        var retained = parsed.GetValue(_retain) ?? [];
        var largePayload = parsed.GetValue(_largePayload);
        return options =>
        {
            options.MaximumDeliveries = deliveries ?? options.MaximumDeliveries;
            options.LargePayloadThreshold = largePayload ?? options.LargePayloadThreshold;
            foreach (var (name, age) in retained)
            {
                foreach (var status in Statuses[name])
                {
                    options.Retention[status] = age;
                }
            }
        };
    }

    private static int? Number(ArgumentResult result, string option, int largest)
    {
        var text = result.Tokens[0].Value;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= largest)
        {
            return number;
        }

        result.AddError($"'{text}' is not allowed for {option}; give 0 to {largest}.");
        return null;
    }

    private static (string, TimeSpan)[] Retained(ArgumentResult result)
    {
        var retained = new List<(string, TimeSpan)>();
        foreach (var text in result.Tokens.Select(token => token.Value))
        {
            if (text.Split('=') is [var status, var age] && Statuses.ContainsKey(status) && DurationText.TryParse(age, out var duration))
            {
                retained.Add((status, duration));
                continue;
            }

            result.AddError($"'{text}' is not allowed for --retain; give completed, failed, terminated or all, =, and {DurationText.Allowed}.");
        }

        return [.. retained];
    }
}
