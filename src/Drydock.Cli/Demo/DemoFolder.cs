using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace Drydock.Cli.Demo;

/// <summary>A folder for one demonstration. One that was killed could not remove its own: the next demonstration does.</summary>
internal static class DemoFolder
{
    private const string Prefix = "drydock-demo-";
    private const string OwnerFile = "owner";

    /// <summary>Removes what killed demonstrations left and makes a folder that is marked as ours.</summary>
    public static string Create()
    {
        foreach (var left in Directory.EnumerateDirectories(Path.GetTempPath(), Prefix + "*").Where(IsLeft))
        {
            TryDelete(left);
        }

        var folder = Directory.CreateTempSubdirectory(Prefix).FullName;
        using var self = Process.GetCurrentProcess();
        File.WriteAllText(Path.Combine(folder, OwnerFile), Mark(self));
        return folder;
    }

    /// <summary>The process that marked the folder is gone. A folder without a mark is somebody else's.</summary>
    internal static bool IsLeft(string folder)
    {
        try
        {
            var mark = File.ReadAllText(Path.Combine(folder, OwnerFile));
            return int.TryParse(mark.Split(' ')[0], CultureInfo.InvariantCulture, out var id) && !IsAlive(id, mark);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>An id alone is given out again; with the time of its start it is not.</summary>
    private static string Mark(Process process) => string.Create(CultureInfo.InvariantCulture, $"{process.Id} {process.StartTime.ToUniversalTime():O}");

    private static bool IsAlive(int id, string mark)
    {
        try
        {
            using var process = Process.GetProcessById(id);
            return Mark(process) == mark;
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            return false;
        }
        catch (Win32Exception)
        {
            // It is there and not ours to look at.
            return true;
        }
    }

    private static void TryDelete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Another demonstration was faster, or it belongs to another user.
        }
    }
}
