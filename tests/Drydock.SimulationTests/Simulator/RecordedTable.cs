namespace Drydock.SimulationTests.Simulator;

/// <summary>A row of the recorded table of start, stop, restart and migrate.</summary>
public sealed record RecordedRow(
    string RunStrategy, string State, string Operation, string Before, int Code, string Reason, string Message, string StrategyAfter, string Requests, string Later)
{
    public override string ToString() => $"{RunStrategy} {State} {Operation}";

    public static IEnumerable<RecordedRow> All()
    {
        using var stream = typeof(RecordedRow).Assembly.GetManifestResourceStream("f_table.md")!;
        using var reader = new StreamReader(stream);
        foreach (var line in reader.ReadToEnd().Split('\n').Skip(2).Where(line => line.Length > 0))
        {
            var cells = line.Split('|')[1..^1].Select(cell => cell.Trim()).ToArray();
            yield return new(cells[0], cells[1], cells[2], cells[3], int.Parse(cells[4]), cells[5], cells[6], cells[7], cells[8], cells[9]);
        }
    }
}
