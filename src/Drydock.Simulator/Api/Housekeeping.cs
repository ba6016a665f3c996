using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>
/// What a cluster does about namespaces without being asked: gives each its default service account, and empties one that ends.
/// </summary>
internal sealed class Housekeeping : IAsyncDisposable
{
    private static readonly ResourceType _namespaces = ResourceTypes.Namespaces;

    private readonly IObjectStore _store;
    private readonly ILogger _logger;
    private readonly Channel<string> _work = Channel.CreateUnbounded<string>();
    private readonly ConcurrentDictionary<string, bool> _ending = new();
    private readonly IDisposable _subscription;
    private readonly Task _loop;
    private long _pending;

    public Housekeeping(IObjectStore store, ILogger logger)
    {
        (_store, _logger) = (store, logger);
        _subscription = store.Subscribe(Notice);
        foreach (var name in (string[])["default", "kube-system", "kube-public", "kube-node-lease"])
        {
            if (store.Get(_namespaces, null, name) is null)
            {
                store.Create(_namespaces, new JsonObject { ["metadata"] = new JsonObject { ["name"] = name } });
            }
        }

        _loop = Task.Run(RunAsync);
    }

    /// <summary>Changes seen and not yet acted on.</summary>
    public long Pending => Interlocked.Read(ref _pending);

    public async ValueTask DisposeAsync()
    {
        _subscription.Dispose();
        _work.Writer.TryComplete();
        await _loop;
    }

    private void Notice(Change change)
    {
        if (change.Type.Equals(_namespaces) && change.Kind is not ChangeKind.Deleted)
        {
            Enqueue(change.Name);
        }
        else if (change.Kind is ChangeKind.Deleted && change.Namespace is { } ns && _ending.ContainsKey(ns))
        {
            Enqueue(ns);
        }
    }

    private void Enqueue(string name)
    {
        Interlocked.Increment(ref _pending);
        if (!_work.Writer.TryWrite(name))
        {
            Interlocked.Decrement(ref _pending);
        }
    }

    private async Task RunAsync()
    {
        await foreach (var name in _work.Reader.ReadAllAsync())
        {
            try
            {
                Keep(name);
            }
            catch (ApiException refusal)
            {
                _logger.LogWarning(refusal, "Housekeeping of {Name} was refused; the next change tries again.", name);
            }
            finally
            {
                Interlocked.Decrement(ref _pending);
            }
        }
    }

    private void Keep(string name)
    {
        if (_store.Get(_namespaces, null, name) is not { } found)
        {
            _ending.TryRemove(name, out _);

            return;
        }

        if (found.At("metadata", "deletionTimestamp") is null)
        {
            EnsureDefaults(name);

            return;
        }

        _ending[name] = true;
        if (!Empty(_store.Types.Where(t => t.Namespaced), name))
        {
            return;
        }

        _store.Update(_namespaces, null, name, ns => ns.Child("spec").Remove("finalizers"));
    }

    private void EnsureDefaults(string name)
    {
        if (_store.Get(ResourceTypes.ServiceAccounts, name, "default") is null)
        {
            _store.Create(ResourceTypes.ServiceAccounts, Named(name, "default"));
        }

        if (_store.Get(ResourceTypes.ConfigMaps, name, "kube-root-ca.crt") is null)
        {
            var authority = Named(name, "kube-root-ca.crt");
            authority["data"] = new JsonObject { ["ca.crt"] = "" };
            _store.Create(ResourceTypes.ConfigMaps, authority);
        }
    }

    private static JsonObject Named(string @namespace, string name) =>
        new() { ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = @namespace } };

    /// <summary>Deletes what is there.</summary>
    /// <returns>Whether nothing is left.</returns>
    private bool Empty(IEnumerable<ResourceType> types, string @namespace)
    {
        var left = 0;
        foreach (var type in types.ToList())
        {
            foreach (var item in _store.List(type, @namespace).Where(o => o.At("metadata", "deletionTimestamp") is null))
            {
                _store.Delete(type, item.NamespaceOf(), item.NameOf(), new Deletion(PropagationPolicy: "Background"));
            }

            left += _store.List(type, @namespace).Count;
        }

        return left == 0;
    }
}
