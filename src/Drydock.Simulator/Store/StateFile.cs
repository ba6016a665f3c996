using System.Text.Json;
using System.Text.Json.Nodes;

namespace Drydock.Simulator.Store;

/// <summary>
/// All objects of a store in one file, so that a restart of the cluster can be told from a new cluster: uids and resource versions are
/// kept, and a watch from before the restart is too old. Kept beside the running store every two seconds and at its end; a process that is
/// killed loses at most what was written since.
/// </summary>
internal sealed class StateFile : IAsyncDisposable
{
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private readonly ObjectStore _store;
    private readonly string _path;
    private readonly ILogger _logger;
    private readonly Lock _writing = new();
    private readonly ITimer _timer;
    private long _written = -1;

    private StateFile(ObjectStore store, string path, TimeProvider clock, ILogger logger)
    {
        (_store, _path, _logger) = (store, path, logger);
        _timer = clock.CreateTimer(_ => WriteOrWarn(), null, Every, Every);
    }

    /// <summary>Writes the store to a file from now on. The file exists afterwards.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public static StateFile Keep(ObjectStore store, string path, TimeProvider clock, ILogger logger)
    {
        var file = new StateFile(store, path, clock, logger);
        file.Write();

        return file;
    }

    /// <summary>Puts the objects of a file into an empty store.</summary>
    /// <exception cref="InvalidDataException">The file is none that this program wrote.</exception>
    public static void Restore(ObjectStore store, string path)
    {
        try
        {
            var state = JsonNode.Parse(File.ReadAllBytes(path))!.AsObject();
            var version = state.Number("resourceVersion") ?? throw new InvalidDataException("it has no resourceVersion");
            store.Restore(version, state["objects"]!.AsObject()
                .SelectMany(type => type.Value!.AsArray().Select(item => (type.Key, item!.AsObject().Copy()))));
        }
        catch (Exception malformed) when (malformed is JsonException or InvalidOperationException or NullReferenceException)
        {
            throw new InvalidDataException($"{path} is not a state file of a simulated cluster: {malformed.Message}", malformed);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        WriteOrWarn();
    }

    private void WriteOrWarn()
    {
        try
        {
            Write();
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            _logger.LogError(failure, "The state of the cluster could not be written to {Path}; the next try is in {Every}.", _path, Every);
        }
    }

    private void Write()
    {
        lock (_writing)
        {
            var (version, types) = _store.Everything();
            if (version == _written)
            {
                return;
            }

            // Written beside and renamed: whoever reads sees a whole file, whenever this process dies.
            var beside = _path + ".new";
            using (var stream = File.Create(beside))
            using (var json = new Utf8JsonWriter(stream))
            {
                json.WriteStartObject();
                json.WriteNumber("resourceVersion", version);
                json.WriteStartObject("objects");
                foreach (var (type, items) in types)
                {
                    json.WriteStartArray(type);
                    foreach (var item in items)
                    {
                        json.WriteRawValue(item.Bytes.Span, skipInputValidation: true);
                    }

                    json.WriteEndArray();
                }

                json.WriteEndObject();
                json.WriteEndObject();
            }

            File.Move(beside, _path, overwrite: true);
            _written = version;
        }
    }
}
