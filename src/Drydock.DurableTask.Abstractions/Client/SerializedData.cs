using Drydock.DurableTask.Converters;

namespace Drydock.DurableTask.Client;

/// <summary>A value as text, to be read as whatever the reader wants.</summary>
public sealed class SerializedData(string data, DataConverter? converter = null)
{
    /// <summary>The text.</summary>
    public string Value { get; } = data;

    /// <summary>What reads it.</summary>
    public DataConverter Converter { get; } = converter ?? JsonDataConverter.Default;

    /// <summary>Reads it.</summary>
    public T ReadAs<T>() => Converter.Deserialize<T>(Value)!;
}
