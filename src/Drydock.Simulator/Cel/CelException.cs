namespace Drydock.Simulator.Cel;

/// <summary>An expression cannot be read, or has no value; the message is worded as cel-go does where it has the same.</summary>
public sealed class CelException(string message) : Exception(message)
{
    internal static CelException NoSuchKey(object? key) => new($"no such key: {key}");

    internal static CelException NoSuchOverload(string function) => new($"no such overload: {function}");
}
