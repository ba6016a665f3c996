using System.Text.Json;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;

namespace Drydock.Kubernetes.Watching;

/// <summary>
/// Remembers of each object what can matter and tells what became of it. The first list tells only that all may have changed: what was
/// there before is unknown.
/// </summary>
internal sealed class WatchedObjects<T>(
    Lock gate, Func<JsonElement, T> read, Action<T?, T?> changed, Action started, Action seen) : IListWatchSink<KeyValuePair<ObjectRef, T>>
    where T : class
{
    private Dictionary<ObjectRef, T>? _objects;

    /// <summary>What there is, as far as it was told. To be called under the gate.</summary>
    public IReadOnlyCollection<T> Values => _objects?.Values ?? (IReadOnlyCollection<T>)[];

    public KeyValuePair<ObjectRef, T> Read(JsonElement item)
    {
        lock (gate)
        {
            return new(item.Ref(), read(item));
        }
    }

    public void Listed(IReadOnlyList<KeyValuePair<ObjectRef, T>> items)
    {
        lock (gate)
        {
            var before = _objects;
            _objects = [];
            foreach (var (name, after) in items)
            {
                Set(name, before?.GetValueOrDefault(name), after, tell: before is not null);
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
            var name = change.Object.Ref();
            var before = objects.GetValueOrDefault(name);
            if (change.Type == "DELETED")
            {
                objects.Remove(name);
                changed(before, null);
            }
            else
            {
                Set(name, before, read(change.Object), tell: true);
            }

            seen();
        }
    }

    private void Set(ObjectRef name, T? before, T after, bool tell)
    {
        _objects![name] = after;
        if (tell && !after.Equals(before))
        {
            changed(before, after);
        }
    }
}
