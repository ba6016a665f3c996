using System.Text;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// A file outside the hub that says what really happened: each line is in the kernel before the call returns, so it outlives a kill.
/// </summary>
internal sealed class Ledger(string folder)
{
    private readonly Lock _gate = new();
    private readonly string _path = Path.Combine(folder, "ledger");

    public void Write(string line)
    {
        lock (_gate)
        {
            using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
    }

    public IReadOnlyList<string> Lines()
    {
        lock (_gate)
        {
            return File.Exists(_path) ? File.ReadAllLines(_path) : [];
        }
    }

    public bool Has(string line) => Lines().Contains(line, StringComparer.Ordinal);
}
