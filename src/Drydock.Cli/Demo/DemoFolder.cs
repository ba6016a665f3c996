namespace Drydock.Cli.Demo;

/// <summary>
/// A folder for one demonstration, gone when it is disposed of. One that was killed could not remove its own: the next demonstration does.
/// </summary>
internal sealed class DemoFolder : IDisposable
{
    private const string Prefix = "drydock-demo-";
    private const string OwnerFile = "owner";
    private readonly FileStream _owned;

    private DemoFolder(string path, FileStream owned) => (Path, _owned) = (path, owned);

    /// <summary>Where it is.</summary>
    public string Path { get; }

    /// <summary>Removes what killed demonstrations left and makes a folder that is marked as ours for as long as this process lives.</summary>
    public static DemoFolder Create()
    {
        foreach (var left in Directory.EnumerateDirectories(System.IO.Path.GetTempPath(), Prefix + "*").Where(IsLeft))
        {
            TryDelete(left);
        }

        var path = Directory.CreateTempSubdirectory(Prefix).FullName;
        return new DemoFolder(path, new FileStream(OwnerOf(path), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None));
    }

    /// <summary>The process that marked the folder is gone: nobody holds its mark any more. A folder without a mark is somebody else's.</summary>
    internal static bool IsLeft(string folder)
    {
        try
        {
            using var mark = new FileStream(OwnerOf(folder), FileMode.Open, FileAccess.ReadWrite, FileShare.None);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        TryDelete(Path);
        _owned.Dispose();
    }

    private static string OwnerOf(string folder) => System.IO.Path.Combine(folder, OwnerFile);

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
