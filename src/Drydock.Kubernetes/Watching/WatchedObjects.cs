using System.Text.Json;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Watching;

/// <summary>
/// Remembers of each object what can matter and tells what became of it. The first list tells only that all may have changed: what was
/// there before is unknown.
/// </summary>
internal sealed class WatchedObjects<T>(
    Lock gate, Func<JsonElement, T> read, Action<T?, T?> changed, Action started, Action seen) : IListWatchSink
    where T : class
{
    private Dictionary<ObjectRef, T>? _objects;

    /// <summary>What there is, as far as it was told. To be called under the gate.</summary>
    public IReadOnlyCollection<T> Values => _objects?.Values ?? (IReadOnlyCollection<T>)[];

    public void Listed(IReadOnlyList<JsonElement> items)
    {
        lock (gate)
        {
            var before = _objects;
            _objects = [];
            foreach (var item in items)
            {
                Set(item, before?.GetValueOrDefault(item.Ref()), tell: before is not null);
            }

            foreach (var (_, gone) in (before ?? []).Where(pair => !_objects.ContainsKey(pair.Key)))
            {
                changed(gone, null);
            }

            if (before is null)
            {
                started();
            }
        }
    }

    public void Changed(WatchEvent change)
    {
        lock (gate)
        {
            var objects = _objects ??= [];
            var before = objects.GetValueOrDefault(change.Object.Ref());
            if (change.Type == "DELETED")
            {
                objects.Remove(change.Object.Ref());
                changed(before, null);
            }
            else
            {
                Set(change.Object, before, tell: true);
            }

            seen();
        }
    }

    private void Set(JsonElement item, T? before, bool tell)
    {
        var after = read(item);
        _objects![item.Ref()] = after;
        if (tell && !after.Equals(before))
        {
            changed(before, after);
        }
    }
}
