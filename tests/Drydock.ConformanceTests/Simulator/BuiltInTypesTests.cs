using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using Drydock.Simulator.Store;
using Drydock.Simulator.Validation;
using k8s.Models;
using Shouldly;

namespace Drydock.ConformanceTests.SimulatedApi;

/// <summary>The fields of built-in types that the simulator checks are those of the client library, of the same version of Kubernetes.</summary>
public sealed class BuiltInTypesTests
{
    private static readonly (string ApiVersion, string Kind)[] _more = [("policy/v1", "Eviction"), ("v1", "Binding"), ("autoscaling/v1", "Scale")];

    [Fact]
    public void The_embedded_fields_are_those_of_the_client_library()
    {
        var written = Write();

        if (written != BuiltInTypes.Text())
        {
            File.WriteAllText(Received(), written);
        }

        written.ShouldBe(BuiltInTypes.Text(), $"if the client library has changed, copy {Path.GetFileName(Received())} over src/Drydock.Simulator/Validation/built-in-types.txt");
    }

    private static string Received([CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "built-in-types.received.txt");

    private static string Write()
    {
        var models = typeof(V1Pod).Assembly.GetTypes()
            .Select(type => (Type: type, Entity: type.GetCustomAttribute<KubernetesEntityAttribute>()))
            .Where(each => each.Entity is not null)
            .ToDictionary(each => (each.Entity!.Group.Length == 0 ? each.Entity.ApiVersion : $"{each.Entity.Group}/{each.Entity.ApiVersion}", each.Entity.Kind), each => each.Type);
        var roots = ResourceTypes.BuiltIn.Select(type => (type.ApiVersion, type.Kind)).Concat(_more).Where(models.ContainsKey).ToList();
        var reached = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var root in roots)
        {
            Reach(models[root], reached);
        }

        var heads = roots.Select(root => $"{root.ApiVersion} {root.Kind} = {Name(models[root])}").Order(StringComparer.Ordinal);

        return string.Join('\n', heads.Concat(reached.Select(each => $"{each.Key}: {each.Value}"))) + "\n";
    }

    private static void Reach(Type type, SortedDictionary<string, string> reached)
    {
        if (reached.ContainsKey(Name(type)))
        {
            return;
        }

        reached[Name(type)] = "";
        var fields = type.GetProperties()
            .Select(property => (Name: property.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name, Type: property.PropertyType))
            .Where(field => field.Name is not null)
            .OrderBy(field => field.Name, StringComparer.Ordinal)
            .Select(field => $"{field.Name} {Shape(field.Type, reached)}");
        reached[Name(type)] = string.Join(", ", fields);
    }

    private static string Shape(Type type, SortedDictionary<string, string> reached)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        if (type.IsGenericType && type.GetGenericArguments() is [var item])
        {
            return "[]" + Shape(item, reached);
        }

        if (type.IsGenericType && type.GetGenericArguments() is [_, var value])
        {
            return "map[]" + Shape(value, reached);
        }

        return type switch
        {
            _ when type == typeof(string) => "string",
            _ when type == typeof(bool) => "bool",
            _ when type == typeof(int) => "int32",
            _ when type == typeof(long) => "int64",
            _ when type == typeof(double) => "float64",
            _ when type == typeof(DateTime) => "time",
            _ when type == typeof(byte[]) => "bytes",
            _ when type == typeof(ResourceQuantity) => "quantity",
            _ when type == typeof(IntOrString) => "intOrString",
            _ when type.Namespace == typeof(V1Pod).Namespace => Model(type, reached),
            _ => "any",
        };
    }

    private static string Model(Type type, SortedDictionary<string, string> reached)
    {
        Reach(type, reached);

        return Name(type);
    }

    private static string Name(Type type) => type.Name;
}
