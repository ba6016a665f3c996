using System.Text;

namespace Drydock.ConformanceTests.TaskHub.Crashes;

/// <summary>
/// A file outside the hub that says what really happened: each line is in the kernel before the call returns, so it outlives a kill.
/// </summary>
internal sealed class Ledger(string folder)
{
    private readonly Lock _gate = new();
    private readonly string _path = Path.Combine(folder, "ledger");
    private readonly List<string> _lines = [];
    private readonly HashSet<string> _known = new(StringComparer.Ordinal);
    private long _read;

    public void Write(string line)
    {
        lock (_gate)
        {
            using var file = new FileStream(_path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.Write(Encoding.UTF8.GetBytes(line + "\n"));
        }
    }

    /// <summary>All lines so far, of whichever process.</summary>
    public IReadOnlyList<string> Lines()
    {
        lock (_gate)
        {
            ReadOn();
            return [.. _lines];
        }
    }

    /// <summary>Whether such a line was written. A fast machine writes hundreds of thousands in a minute, and each instance asks for its own.</summary>
    public bool Has(string line)
    {
        lock (_gate)
        {
            ReadOn();
            return _known.Contains(line);
        }
    }

    // From where the last reading ended: what was read stays as it is. The end of a line that another process has in hand is read next time.
    private void ReadOn()
    {
        if (!File.Exists(_path))
        {
            return;
        }

        using var file = new FileStream(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var left = new byte[file.Length - _read];
        file.Position = _read;
        file.ReadExactly(left);
        var whole = Array.LastIndexOf(left, (byte)'\n') + 1;
        foreach (var line in Encoding.UTF8.GetString(left, 0, whole).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            _lines.Add(line);
            _known.Add(line);
        }

        _read += whole;
    }
}
