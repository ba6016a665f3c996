using System.Globalization;
using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Maintenance.Actions;

namespace Drydock.Maintenance.Health;

/// <summary>A probe to ask.</summary>
internal sealed record ProbeInput(string Node, string Maintenance, NamedProbe Probe);

/// <summary>What a probe saw.</summary>
internal sealed record ProbeSeen(bool Passes, string Saw);

/// <summary>Asks one probe once. Changes nothing.</summary>
internal sealed class ProbeActivity(INeighbours neighbours, IHttpTargets targets, ISecretFiles secrets) : ClusterActivity<ProbeInput, ProbeSeen>
{
    protected override Task<ProbeSeen> RunAsync(ProbeInput input, CancellationToken cancellationToken) => input.Probe.Template.Kind switch
    {
        ProbeKind.Http => HttpAsync(input, cancellationToken),
        ProbeKind.Prometheus => PrometheusAsync(input, cancellationToken),
        ProbeKind.Pods => PodsAsync(input.Probe, cancellationToken),
        var other => throw new NotSupportedException($"{other} is not a probe that is asked."),
    };

    private async Task<ProbeSeen> HttpAsync(ProbeInput input, CancellationToken cancellationToken)
    {
        var probe = input.Probe.Template;
        var (answer, problem) = await GetAsync(probe, HttpText.Fill(probe.Url!, input.Node, input.Maintenance), cancellationToken);
        if (answer is null)
        {
            return new(false, problem!);
        }

        var isWanted = probe.Status is { } code ? answer.Code == code : answer.IsSuccess;
        return !isWanted ? new(false, $"wanted {(probe.Status is { } status ? status : "2xx")}, got {answer.Short}")
            : probe.Contains is { } text && !answer.Body.Contains(text, StringComparison.Ordinal)
                ? new(false, $"the answer does not contain '{text}': {answer.Short}")
                : new(true, answer.Short);
    }

    private async Task<ProbeSeen> PrometheusAsync(ProbeInput input, CancellationToken cancellationToken)
    {
        var probe = input.Probe.Template;
        var query = Uri.EscapeDataString(probe.Query!.Replace("{node}", input.Node));
        var url = $"{HttpText.Fill(probe.Url!, input.Node, input.Maintenance).TrimEnd('/')}/api/v1/query?query={query}";
        var (answer, problem) = await GetAsync(probe, url, cancellationToken);
        return answer is null ? new(false, problem!)
            : !answer.IsSuccess ? new(false, $"Prometheus answered {answer.Short}")
            : PrometheusAnswer.Judge(answer.Body, probe);
    }

    private async Task<ProbeSeen> PodsAsync(NamedProbe probe, CancellationToken cancellationToken)
    {
        var ready = await ReadyAsync(neighbours, probe.Template, cancellationToken);
        return new(ready >= probe.ReadyBefore, $"{ready} of {probe.ReadyBefore} pods with {probe.Template.Selector} are Ready again");
    }

    /// <summary>How many pods of such a probe are Ready.</summary>
    public static async Task<int> ReadyAsync(INeighbours neighbours, ProbeTemplate probe, CancellationToken cancellationToken) =>
        (await neighbours.ListPodsAsync(probe.Namespace, probe.Selector!, cancellationToken)).Count(pod => pod.IsReady);

    private async Task<(HttpTargetAnswer? Answer, string? Problem)> GetAsync(ProbeTemplate probe, string url, CancellationToken cancellationToken)
    {
        var headers = new Dictionary<string, string>(StringComparer.Ordinal);
        if (probe.TokenFile is { } file)
        {
            if (await secrets.ReadAsync(file, cancellationToken) is not { } token)
            {
                return (null, $"the secret file {file} is not mounted");
            }

            headers["Authorization"] = $"Bearer {token}";
        }

        return (await targets.SendAsync(new HttpTargetCall("GET", url) { Headers = headers }, cancellationToken), null);
    }
}

/// <summary>Counts what Pods probes will ask for again.</summary>
internal sealed class ReadProbesActivity(INeighbours neighbours) : ClusterActivity<IReadOnlyList<NamedProbe>, IReadOnlyList<NamedProbe>>
{
    protected override async Task<IReadOnlyList<NamedProbe>> RunAsync(IReadOnlyList<NamedProbe> input, CancellationToken cancellationToken)
    {
        var probes = new List<NamedProbe>(input.Count);
        foreach (var probe in input)
        {
            probes.Add(probe.Template.Kind == ProbeKind.Pods
                ? probe with { ReadyBefore = await ProbeActivity.ReadyAsync(neighbours, probe.Template, cancellationToken) }
                : probe);
        }

        return probes;
    }
}

/// <summary>Reads what <c>/api/v1/query</c> of Prometheus answers.</summary>
internal static class PrometheusAnswer
{
    /// <summary>Whether the result is what the probe expects.</summary>
    public static ProbeSeen Judge(string body, ProbeTemplate probe)
    {
        if (Values(body) is not { } values)
        {
            return new(false, "the answer is not that of a Prometheus query");
        }

        var saw = values.Count == 0 ? "no series" : $"{values.Count} series: {string.Join(", ", values.Take(5))}";
        return new(
            probe.Expect switch
            {
                QueryExpectation.Empty => values.Count == 0,
                QueryExpectation.NonEmpty => values.Count > 0,
                QueryExpectation.AtLeast => values.Count > 0 && values.All(value => value >= probe.Threshold),
                _ => values.Count > 0 && values.All(value => value <= probe.Threshold),
            },
            $"wanted {Wanted(probe)}, got {saw}");
    }

    private static string Wanted(ProbeTemplate probe) => probe.Expect switch
    {
        QueryExpectation.Empty => "no series",
        QueryExpectation.NonEmpty => "a series",
        QueryExpectation.AtLeast => $"values of at least {probe.Threshold}",
        _ => $"values of at most {probe.Threshold}",
    };

    // A vector has a value in each series, a scalar is one value: [time, "text"].
    private static List<double>? Values(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var data = document.RootElement.GetProperty("data");
            var result = data.GetProperty("result");
            return data.GetProperty("resultType").GetString() == "scalar"
                ? [Number(result)]
                : [.. result.EnumerateArray().Select(series => Number(series.GetProperty("value")))];
        }
        catch (Exception exception) when (exception is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    // Prometheus' words for what the number format has other words for.
    private static double Number(JsonElement sample) => sample[1].GetString() switch
    {
        "+Inf" => double.PositiveInfinity,
        "-Inf" => double.NegativeInfinity,
        var text => double.Parse(text ?? "", CultureInfo.InvariantCulture),
    };
}
