namespace Drydock.Cli;

/// <summary>What the program answers to a script. Documented in <c>drydock --help</c>; never renumber.</summary>
internal static class ExitCodes
{
    /// <summary>What was asked for was done.</summary>
    public const int Done = 0;

    /// <summary>It was tried and did not succeed.</summary>
    public const int Failed = 1;

    /// <summary>The command line, a file or an address named on it is wrong; nothing was changed.</summary>
    public const int BadInput = 2;

    /// <summary>The plan, a permission or another maintenance refused it; nothing was changed.</summary>
    public const int Refused = 3;

    /// <summary>Somebody cancelled it; everything was put back.</summary>
    public const int Cancelled = 4;

    /// <summary>Ctrl-C or SIGTERM ended the program, not the maintenance.</summary>
    public const int Interrupted = 130;
}
