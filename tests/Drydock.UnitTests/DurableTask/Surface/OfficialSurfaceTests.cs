using System.Reflection;
using Drydock.DurableTask;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.DurableTask.Surface;

/// <summary>
/// What the official SDK has and we have not. A new line is a member that workflows must not use; a line that is gone is a member that
/// came. Each line of the approved list has a reason in <c>official-gaps.txt</c>.
/// </summary>
public sealed class OfficialSurfaceTests
{
    private const BindingFlags Declared =
        BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly;

    private static readonly Assembly _official = typeof(global::Microsoft.DurableTask.TaskOrchestrationContext).Assembly;

    private static readonly Assembly[] _ours = [typeof(TaskOrchestrationContext).Assembly, typeof(ITaskHub).Assembly];

    [Fact]
    public void Members_of_the_official_SDK_are_here_or_have_a_reason_not_to_be()
    {
        var missing = _official.GetExportedTypes()
            .Where(static type => type.Namespace!.StartsWith("Microsoft.DurableTask", StringComparison.Ordinal))
            .Where(static type => !type.IsNested || type.IsNestedPublic)
            .SelectMany(MissingOf);

        var reasons = Gaps();
        var unexplained = missing.Where(member => !reasons.Any(gap => member.StartsWith(gap, StringComparison.Ordinal))).Order();
        var stale = reasons.Where(gap => !missing.Any(member => member.StartsWith(gap, StringComparison.Ordinal)));

        unexplained.ShouldBeEmpty();
        stale.ShouldBeEmpty();
    }

    private static List<string> Gaps() =>
    [
        .. File.ReadLines(Beside("official-gaps.txt"))
            .Where(static line => line.Length > 0 && line[0] != '#')
            .Select(static line => line.TrimEnd()),
    ];

    private static IEnumerable<string> MissingOf(Type official)
    {
        var name = OursOf(official.FullName!);
        var type = _ours.Select(assembly => assembly.GetType(name)).FirstOrDefault(static found => found is { IsVisible: true });
        if (type is null)
        {
            return [Short(name)];
        }

        var members = AllOf(type).Select(Render).ToHashSet(StringComparer.Ordinal);
        return official.GetMembers(Declared)
            .Where(IsSeen)
            .Select(Render)
            .Distinct()
            .Where(member => !members.Contains(member))
            .Select(member => $"{Short(name)}: {member}");
    }

    private static IEnumerable<MemberInfo> AllOf(Type type)
    {
        for (var current = type; current is not null; current = current.BaseType)
        {
            foreach (var member in current.GetMembers(Declared).Where(IsSeen))
            {
                yield return member;
            }
        }
    }

    private static bool IsSeen(MemberInfo member) => member switch
    {
        MethodBase method => (method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly)
            && !method.Name.StartsWith("get_", StringComparison.Ordinal)
            && !method.Name.StartsWith("set_", StringComparison.Ordinal),
        PropertyInfo property => property.GetAccessors(nonPublic: true).Any(static accessor => accessor.IsPublic || accessor.IsFamily),
        FieldInfo field => field.IsPublic && !field.IsSpecialName,
        _ => false,
    };

    private static string Render(MemberInfo member) => OursOf(member switch
    {
        ConstructorInfo constructor => $"new({Parameters(constructor)})",
        MethodInfo method => $"{method.ReturnType} {method.Name}`{method.GetGenericArguments().Length}({Parameters(method)})",
        PropertyInfo property => $"{property.PropertyType} {property.Name} {{ {Accessors(property)} }}",
        FieldInfo { IsLiteral: true } constant => $"{constant.Name} = {constant.GetRawConstantValue()}",
        FieldInfo field => $"{field.FieldType} {field.Name}",
        _ => member.ToString()!,
    });

    private static string Accessors(PropertyInfo property) =>
        $"{(property.CanRead ? "get" : "")} {(property.SetMethod is { IsPrivate: false, IsAssembly: false } ? "set" : "")}";

    private static string Parameters(MethodBase method) => string.Join(", ", method.GetParameters().Select(static parameter =>
        parameter.HasDefaultValue ? $"{parameter.ParameterType} = {parameter.DefaultValue ?? "null"}" : $"{parameter.ParameterType}"));

    private static string OursOf(string text) => text.Replace("Microsoft.DurableTask", "Drydock.DurableTask", StringComparison.Ordinal);

    private static string Short(string name) => name["Drydock.DurableTask.".Length..];

    private static string Beside(string name, [System.Runtime.CompilerServices.CallerFilePath] string file = "") =>
        Path.Combine(Path.GetDirectoryName(file)!, name);
}
