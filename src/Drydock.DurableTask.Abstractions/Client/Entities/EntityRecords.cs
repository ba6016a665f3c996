using System.Text.Json;
using System.Text.Json.Serialization;
using Drydock.DurableTask.Entities;

namespace Drydock.DurableTask.Client.Entities;

/// <summary>What is to be cleaned.</summary>
public readonly record struct CleanEntityStorageRequest
{
    /// <summary>Nothing.</summary>
    public CleanEntityStorageRequest()
    {
    }

    /// <summary>Everything.</summary>
    public static CleanEntityStorageRequest Default => new() { RemoveEmptyEntities = true, ReleaseOrphanedLocks = true };

    /// <summary>Whether entities without state, lock and backlog are removed.</summary>
    public bool RemoveEmptyEntities { get; init; }

    /// <summary>Whether locks of orchestrations that have ended are freed.</summary>
    public bool ReleaseOrphanedLocks { get; init; }

    /// <summary>Where to go on; null from the beginning.</summary>
    public string? ContinuationToken { get; init; }
}

/// <summary>What was cleaned.</summary>
public readonly record struct CleanEntityStorageResult
{
    /// <summary>How many entities were removed.</summary>
    public int EmptyEntitiesRemoved { get; init; }

    /// <summary>How many locks were freed.</summary>
    public int OrphanedLocksReleased { get; init; }

    /// <summary>Where to go on; null if all was cleaned.</summary>
    public string? ContinuationToken { get; init; }
}

/// <summary>Which entities are wanted.</summary>
public record EntityQuery
{
    /// <summary>How many a page has, if nothing else is said.</summary>
    public const int DefaultPageSize = 100;

    private readonly string? _instanceIdStartsWith;

    /// <summary>The beginning of their ids, <c>@name@key</c>; a name alone means all entities of names that begin so.</summary>
    public string? InstanceIdStartsWith
    {
        get => _instanceIdStartsWith;
        init => _instanceIdStartsWith = Normal(value);
    }

    /// <summary>Not changed before.</summary>
    public DateTimeOffset? LastModifiedFrom { get; init; }

    /// <summary>Not changed after.</summary>
    public DateTimeOffset? LastModifiedTo { get; init; }

    /// <summary>Whether states are wanted. The default is true.</summary>
    public bool IncludeState { get; init; } = true;

    /// <summary>Whether entities without state are wanted. The default is false.</summary>
    public bool IncludeTransient { get; init; }

    /// <summary>How many a page has; null leaves it to the hub.</summary>
    public int? PageSize { get; init; }

    /// <summary>Where to go on; null from the beginning.</summary>
    public string? ContinuationToken { get; init; }

    // Names are in lower case; keys are as they are.
    private static string? Normal(string? prefix)
    {
        if (prefix is null)
        {
            return null;
        }

        var withSign = prefix.StartsWith('@') ? prefix : "@" + prefix;
        var key = withSign.IndexOf('@', 1);
        return key < 0 ? withSign.ToLowerInvariant() : withSign[..key].ToLowerInvariant() + withSign[key..];
    }
}

/// <summary>An entity and its state as text.</summary>
[JsonConverter(typeof(EntityMetadataConverter))]
public sealed class EntityMetadata(EntityInstanceId id, SerializedData? state = null) : EntityMetadata<SerializedData>(id, state);

/// <summary>An entity and its state.</summary>
[JsonConverter(typeof(EntityMetadataConverter))]
public class EntityMetadata<TState>
{
    private readonly TState? _state;

    /// <summary>An entity whose state was not asked for.</summary>
    public EntityMetadata(EntityInstanceId id)
    {
        Id = id;
        IncludesState = false;
    }

    /// <summary>An entity with its state; null means that it was not asked for, or is not there.</summary>
    public EntityMetadata(EntityInstanceId id, TState? state)
    {
        Id = id;
        IncludesState = state is not null;
        _state = state;
    }

    /// <summary>The entity.</summary>
    public EntityInstanceId Id { get; }

    /// <summary>When its state last changed.</summary>
    public DateTimeOffset LastModifiedTime { get; init; }

    /// <summary>How many operations wait.</summary>
    public int BacklogQueueSize { get; init; }

    /// <summary>The orchestration that has it locked; null if it is free.</summary>
    public string? LockedBy { get; init; }

    /// <summary>Whether the state is here.</summary>
    public bool IncludesState { get; }

    /// <summary>The state.</summary>
    /// <exception cref="InvalidOperationException">It is not here.</exception>
    public TState State => IncludesState ? _state! : throw new InvalidOperationException($"Cannot retrieve state when {nameof(IncludesState)}=false");
}

/// <summary>Writes entities as JSON; they are not read.</summary>
internal sealed class EntityMetadataConverter : JsonConverterFactory
{
    public override bool CanConvert(Type typeToConvert) => typeToConvert == typeof(EntityMetadata)
        || (typeToConvert.IsGenericType && typeToConvert.GetGenericTypeDefinition() == typeof(EntityMetadata<>));

    public override JsonConverter CreateConverter(Type typeToConvert, JsonSerializerOptions options)
    {
        var state = typeToConvert == typeof(EntityMetadata) ? typeof(SerializedData) : typeToConvert.GetGenericArguments()[0];
        return (JsonConverter)Activator.CreateInstance(typeof(Converter<,>).MakeGenericType(typeToConvert, state))!;
    }

    private sealed class Converter<TEntity, TState> : JsonConverter<TEntity>
        where TEntity : EntityMetadata<TState>
    {
        public override TEntity Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            throw new NotSupportedException("The metadata of an entity is written, not read.");

        public override void Write(Utf8JsonWriter writer, TEntity value, JsonSerializerOptions options)
        {
            writer.WriteStartObject();
            writer.WriteString("id", value.Id.ToString());
            writer.WriteString("lastModifiedTime", value.LastModifiedTime);
            writer.WriteNumber("backlogQueueSize", value.BacklogQueueSize);
            writer.WriteString("lockedBy", value.LockedBy);
            if (value.IncludesState)
            {
                writer.WritePropertyName("state");
                if (value.State is SerializedData text)
                {
                    writer.WriteStringValue(text.Value);
                }
                else
                {
                    JsonSerializer.Serialize(writer, value.State, options);
                }
            }

            writer.WriteEndObject();
        }
    }
}
