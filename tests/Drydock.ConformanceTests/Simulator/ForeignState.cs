namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>
/// What others did to the recorded cluster while a section was recorded, and what the recording does not tell: lines of
/// <c>case METHOD path body</c>, done before the case.
/// </summary>
internal sealed class ForeignState
{
    private readonly ILookup<string, (string Method, string Path, string Body)> _steps;

    private ForeignState(IEnumerable<string> lines) => _steps = lines
        .Where(line => line.Length > 0 && line[0] != '#')
        .Select(line => line.Split(' ', 4))
        .ToLookup(parts => parts[0], parts => (parts[1], parts[2], parts[3]));

    public static ForeignState Load(string file) => new(File.ReadAllLines(file));

    public IEnumerable<(string Method, string Path, string Body)> Before(string name) => _steps[name];
}
