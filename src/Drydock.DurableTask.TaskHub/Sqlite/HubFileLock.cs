using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>
/// One process per hub: an exclusive lock of the operating system on <c>&lt;database&gt;.lock</c>, so that a second process is refused
/// at once and a killed one leaves nothing to clean up. The file stays; deleting it would race with the next holder.
/// </summary>
internal sealed class HubFileLock : IDisposable
{
    private readonly FileStream _file;

    private HubFileLock(FileStream file) => _file = file;

    public static HubFileLock Take(string database)
    {
        var path = database + ".lock";
        try
        {
            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            file.SetLength(0);
            file.Write(Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)));
            file.Flush();
            return new HubFileLock(file);
        }
        catch (UnauthorizedAccessException e)
        {
            throw NotWritable(database, e);
        }
        catch (IOException e) when (IsFull(e))
        {
            throw HubDatabase.DiskFull(database, e);
        }
        catch (IOException e) when (IsReadOnlyFileSystem(e))
        {
            throw NotWritable(database, e);
        }
        catch (IOException e)
        {
            throw new TaskHubOpenException(
                TaskHubOpenProblem.Locked, database,
                $"The task hub '{database}' is in use by {Holder(path)}. Stop that process, or use another file.", e);
        }
    }

    public void Dispose() => _file.Dispose();

    private static TaskHubOpenException NotWritable(string database, Exception cause) => new(
        TaskHubOpenProblem.NotWritable, database,
        $"The task hub '{database}' cannot be written: {cause.Message} Give this user write access to the file and its folder, or use another file.",
        cause);

    private static string Holder(string path)
    {
        // .NET asks for a shared lock whenever it opens a file, and the holder's is exclusive: open it without asking.
        using var handle = new SafeFileHandle(OperatingSystem.IsWindows() ? -1 : OpenForReading(path, 0), ownsHandle: true);
        if (handle.IsInvalid)
        {
            return "another process";
        }

        var buffer = new byte[16];
        var text = Encoding.ASCII.GetString(buffer, 0, RandomAccess.Read(handle, buffer, 0));
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) ? $"process {pid}" : "another process";
    }

    [DllImport("libc", EntryPoint = "open", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int OpenForReading([MarshalAs(UnmanagedType.LPUTF8Str)] string path, int flags);

    // ENOSPC and EDQUOT; EROFS.
    private static bool IsFull(IOException e) => e.HResult is 28 or 122 or unchecked((int)0x80070070);

    private static bool IsReadOnlyFileSystem(IOException e) => e.HResult is 30;
}
