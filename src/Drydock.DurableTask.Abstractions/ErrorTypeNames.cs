using System.Reflection;

namespace Drydock.DurableTask;

/// <summary>
/// Names of exception types on the wire. The engine's own exceptions travel under their official names, so that workers of the
/// official SDK recognise ours and histories recorded by it mean the same here.
/// </summary>
internal static class ErrorTypeNames
{
    private const string Ours = "Drydock.DurableTask.";
    private const string Official = "Microsoft.DurableTask.";
    private const string OfficialCore = "DurableTask.Core.Exceptions.";

    // These two live in DurableTask.Core, all others in the SDK.
    private static readonly string[] _coreNames =
        ["NonDeterministicOrchestrationException", "OrchestrationAlreadyExistsException"];

    /// <summary>The name under which a type is written.</summary>
    public static string Of(Type type)
    {
        var name = type.FullName ?? type.Name;
        if (!name.StartsWith(Ours, StringComparison.Ordinal) || !IsOurs(type.Assembly))
        {
            return name;
        }

        return _coreNames.Contains(type.Name) ? OfficialCore + type.Name : Official + name[Ours.Length..];
    }

    /// <summary>The type that was written under a name, or null if nobody here knows it.</summary>
    /// <exception cref="AmbiguousMatchException">Several loaded assemblies have a type of that name.</exception>
    public static Type? Find(string name, Assembly likely)
    {
        if (name.StartsWith(Official, StringComparison.Ordinal))
        {
            name = Ours + name[Official.Length..];
        }
        else if (name.StartsWith(OfficialCore, StringComparison.Ordinal))
        {
            return FindOurs(name[OfficialCore.Length..]);
        }

        return Type.GetType(name, throwOnError: false) ?? likely.GetType(name, throwOnError: false) ?? FindLoaded(name);
    }

    private static bool IsOurs(Assembly assembly) =>
        assembly.GetName().Name?.StartsWith("Drydock.DurableTask", StringComparison.Ordinal) == true;

    private static Type? FindOurs(string shortName) => AppDomain.CurrentDomain.GetAssemblies()
        .Where(IsOurs)
        .SelectMany(static assembly => assembly.GetTypes())
        .FirstOrDefault(type => type.Name == shortName && typeof(Exception).IsAssignableFrom(type));

    private static Type? FindLoaded(string name)
    {
        var found = AppDomain.CurrentDomain.GetAssemblies()
            .Select(assembly => assembly.GetType(name, throwOnError: false))
            .OfType<Type>()
            .Take(2)
            .ToList();

        return found.Count > 1
            ? throw new AmbiguousMatchException($"Several loaded assemblies have an exception type '{name}'.")
            : found.SingleOrDefault();
    }
}
