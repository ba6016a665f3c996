using System.Runtime.CompilerServices;
using Drydock.Api;
using Drydock.Cli.Output;

namespace Drydock.Cli.Following;

/// <summary>Follows a maintenance or a rollout on a server through restarts of the server.</summary>
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
        await foreach (var (view, note) in FollowAsync(
            stop => client.WatchMaintenanceAsync(id, stop), static view => view.IsOver, "maintenance", $"drydock watch {id}", patience, cancellationToken))
        {
            yield return note ?? (ProgressEvent)new ProgressEvent.Changed(view!);
        }
    }

    /// <summary>The same of a rollout.</summary>
    /// <inheritdoc cref="FollowAsync(string, TimeSpan, CancellationToken)"/>
    public IAsyncEnumerable<(RolloutView? View, ProgressEvent.Note? Note)> FollowRolloutAsync(string id, TimeSpan patience, CancellationToken cancellationToken) =>
        FollowAsync(stop => client.WatchRolloutAsync(id, stop), static view => view.IsOver, "rollout", $"drydock rollout watch {id}", patience, cancellationToken);

    private async IAsyncEnumerable<(T? View, ProgressEvent.Note? Note)> FollowAsync<T>(
        Func<CancellationToken, IAsyncEnumerable<T>> watch, Func<T, bool> isOver, string what, string comeBack, TimeSpan patience, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        T? last = null;
        long? lostAt = null;
        while (last is null || !isOver(last))
        {
            await using var views = watch(cancellationToken).GetAsyncEnumerator(cancellationToken);
            while (await MoveNextAsync(views, last is not null))
            {
                if (lostAt is { } since)
                {
                    yield return (null, new ProgressEvent.Note("connected", $"the server answers again after {Elapsed.Format(clock.GetElapsedTime(since))}"));
                    lostAt = null;
                }

                last = views.Current;
                yield return (last, null);
            }

            if (last is not null && isOver(last))
            {
                yield break;
            }

            if (lostAt is null)
            {
                lostAt = clock.GetTimestamp();
                yield return (null, new ProgressEvent.Note("lost", $"the server is gone; waiting for it (the {what} is durable)"));
            }
            else if (clock.GetElapsedTime(lostAt.Value) > patience)
            {
                throw new CommandFailedException(
                    ExitCodes.Failed,
                    $"The server has been away for {Elapsed.Format(patience)}.",
                    $"Start it again on the same database: the {what} goes on. Then '{comeBack}'.");
            }

            await Task.Delay(RetryEvery, clock, cancellationToken);
        }
    }

    /// <summary>False if the stream ended or broke. Before the first view a failure is the caller's: wrong address, wrong id.</summary>
    private static async Task<bool> MoveNextAsync<T>(IAsyncEnumerator<T> views, bool wasConnected)
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
