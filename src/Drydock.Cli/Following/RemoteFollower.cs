using System.Runtime.CompilerServices;
using Drydock.Api;
using Drydock.Cli.Output;

namespace Drydock.Cli.Following;

/// <summary>Follows a maintenance on a server through restarts of the server.</summary>
internal sealed class RemoteFollower(DrydockApiClient client, TimeProvider clock)
{
    /// <summary>How long a server may be away before a person is told to look after it.</summary>
    public static readonly TimeSpan UsualPatience = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan RetryEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Yields each view until the maintenance is over; notes when the connection goes and comes back.</summary>
    /// <exception cref="CommandFailedException">The server stayed away longer than the patience.</exception>
    public async IAsyncEnumerable<ProgressEvent> FollowAsync(
        string id, TimeSpan patience, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        MaintenanceView? last = null;
        long? lostAt = null;
        while (last is not { IsOver: true })
        {
            await using var views = client.WatchMaintenanceAsync(id, cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await MoveNextAsync(views, last is not null))
            {
                if (lostAt is { } since)
                {
                    yield return new ProgressEvent.Note("connected", $"the server answers again after {Elapsed.Format(clock.GetElapsedTime(since))}");
                    lostAt = null;
                }

                last = views.Current;
                yield return new ProgressEvent.Changed(last);
            }

            if (last is { IsOver: true })
            {
                yield break;
            }

            if (lostAt is null)
            {
                lostAt = clock.GetTimestamp();
                yield return new ProgressEvent.Note("lost", "the server is gone; waiting for it (the maintenance is durable)");
            }
            else if (clock.GetElapsedTime(lostAt.Value) > patience)
            {
                throw new CommandFailedException(
                    ExitCodes.Failed,
                    $"The server has been away for {Elapsed.Format(patience)}.",
                    $"Start it again on the same database: the maintenance goes on. Then 'drydock watch {id}'.");
            }

            await Task.Delay(RetryEvery, clock, cancellationToken);
        }
    }

    /// <summary>False if the stream ended or broke. Before the first view a failure is the caller's: wrong address, wrong id.</summary>
    private static async Task<bool> MoveNextAsync(IAsyncEnumerator<MaintenanceView> views, bool wasConnected)
    {
        try
        {
            return await views.MoveNextAsync();
        }
        catch (Exception exception) when (wasConnected && (exception is HttpRequestException or IOException || IsComingUp(exception)))
        {
            return false;
        }
    }

    /// <summary>A server that is just starting may say 503 for a moment.</summary>
    private static bool IsComingUp(Exception exception) => exception is ApiProblemException { Problem.Status: 503 };
}
