namespace Drydock.Cli.Processes;

/// <summary>A child process must not outlive its parent: the parent holds the other end of our stdin, and the kernel closes it however the parent dies.</summary>
internal static class ParentWatch
{
    /// <summary>Calls back once when stdin ends.</summary>
    public static void WhenParentDies(Action ended)
    {
        // A blocking read cannot be cancelled: a background thread of its own does not keep the process alive.
        var thread = new Thread(() =>
        {
            using var input = Console.OpenStandardInput();
            var buffer = new byte[64];
            while (Read(input, buffer) > 0)
            {
            }

            ended();
        })
        {
            IsBackground = true,
            Name = "parent watch",
        };
        thread.Start();
    }

    private static int Read(Stream input, byte[] buffer)
    {
        try
        {
            return input.Read(buffer);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
