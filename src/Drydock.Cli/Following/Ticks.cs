using System.Runtime.CompilerServices;

namespace Drydock.Cli.Following;

/// <summary>Time as news.</summary>
internal static class Ticks
{
    /// <summary>Passes every item on, and null whenever there was none for that long.</summary>
    public static async IAsyncEnumerable<T?> WithTicksAsync<T>(
        this IAsyncEnumerable<T> items, TimeSpan every, TimeProvider clock, [EnumeratorCancellation] CancellationToken cancellationToken)
        where T : class
    {
        await using var source = items.GetAsyncEnumerator(cancellationToken);
        var next = source.MoveNextAsync().AsTask();
        while (true)
        {
            if (await Task.WhenAny(next, Task.Delay(every, clock, CancellationToken.None)) != next)
            {
                yield return null;
                continue;
            }

            if (!await next)
            {
                yield break;
            }

            yield return source.Current;
            next = source.MoveNextAsync().AsTask();
        }
    }
}
