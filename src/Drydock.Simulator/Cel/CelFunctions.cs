using System.Globalization;
using System.Text.RegularExpressions;

namespace Drydock.Simulator.Cel;

/// <summary>
/// The operators and functions. Those of the standard library that rules of custom resources use; not the libraries for URLs, IP addresses,
/// quantities and formats: a rule that calls those is refused when its definition is made.
/// </summary>
internal static partial class CelFunctions
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);

    private static readonly Dictionary<(string Name, int Count), Func<object?[], object?>> _functions = new()
    {
        [("size", 1)] = static a => Size(a[0]),
        [("matches", 2)] = static a => Regex.IsMatch(Text(a[0]), Text(a[1]), RegexOptions.None, _patience),
        [("startsWith", 2)] = static a => Text(a[0]).StartsWith(Text(a[1]), StringComparison.Ordinal),
        [("endsWith", 2)] = static a => Text(a[0]).EndsWith(Text(a[1]), StringComparison.Ordinal),
        [("contains", 2)] = static a => Text(a[0]).Contains(Text(a[1]), StringComparison.Ordinal),
        [("lowerAscii", 1)] = static a => Text(a[0]).ToLowerInvariant(),
        [("upperAscii", 1)] = static a => Text(a[0]).ToUpperInvariant(),
        [("trim", 1)] = static a => Text(a[0]).Trim(),
        [("indexOf", 2)] = static a => a[0] is string text
            ? (long)text.IndexOf(Text(a[1]), StringComparison.Ordinal)
            : List(a[0]).ToList().FindIndex(each => CelValue.Same(each, a[1])),
        [("replace", 3)] = static a => Text(a[0]).Replace(Text(a[1]), Text(a[2]), StringComparison.Ordinal),
        [("split", 2)] = static a => Text(a[0]).Split(Text(a[1])).Select(object? (part) => part).ToList(),
        [("join", 1)] = static a => string.Concat(List(a[0]).Select(Text)),
        [("join", 2)] = static a => string.Join(Text(a[1]), List(a[0]).Select(Text)),
        [("substring", 2)] = static a => Text(a[0])[(int)Whole(a[1])..],
        [("substring", 3)] = static a => Text(a[0])[(int)Whole(a[1])..(int)Whole(a[2])],
        [("isSorted", 1)] = static a => List(a[0]).Zip(List(a[0]).Skip(1)).All(pair => CelValue.Order(pair.First, pair.Second) <= 0),
        [("sum", 1)] = static a => List(a[0]).Aggregate((object?)0L, (sum, each) => Operate("+", sum, each)),
        [("min", 1)] = static a => List(a[0]).Aggregate((least, each) => CelValue.Order(each, least) < 0 ? each : least),
        [("max", 1)] = static a => List(a[0]).Aggregate((most, each) => CelValue.Order(each, most) > 0 ? each : most),
        [("int", 1)] = static a => ToInt(a[0]),
        [("uint", 1)] = static a => ToInt(a[0]),
        [("double", 1)] = static a => a[0] is string text ? double.Parse(text, CultureInfo.InvariantCulture) : Convert.ToDouble(a[0], CultureInfo.InvariantCulture),
        [("string", 1)] = static a => CelValue.Text(a[0]),
        [("bool", 1)] = static a => a[0] is bool truth ? truth : Text(a[0]) is "true" or "True" or "TRUE" or "t" or "1",
        [("dyn", 1)] = static a => a[0],
        [("duration", 1)] = static a => a[0] is TimeSpan span ? span : Duration(Text(a[0])),
        [("timestamp", 1)] = static a => a[0] is DateTimeOffset moment
            ? moment
            : DateTimeOffset.Parse(Text(a[0]), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal),
    };

    public static bool Knows(string name, int arguments) => _functions.ContainsKey((name, arguments));

    public static object? Call(string name, object?[] arguments)
    {
        try
        {
            return _functions[(name, arguments.Length)](arguments);
        }
        catch (Exception failure) when (failure is FormatException or OverflowException or ArgumentException or InvalidOperationException)
        {
            throw new CelException($"{name}: {failure.Message}");
        }
    }

    public static object? Operate(string symbol, object? left, object? right) => symbol switch
    {
        "==" => CelValue.Same(left, right),
        "!=" => !CelValue.Same(left, right),
        "<" => CelValue.Order(left, right) < 0,
        "<=" => CelValue.Order(left, right) <= 0,
        ">" => CelValue.Order(left, right) > 0,
        ">=" => CelValue.Order(left, right) >= 0,
        "in" => right switch
        {
            IReadOnlyList<object?> list => list.Any(each => CelValue.Same(each, left)),
            IReadOnlyDictionary<string, object?> map => left is string key && map.ContainsKey(key),
            _ => throw CelException.NoSuchOverload("@in"),
        },
        _ => Reckon(symbol, left, right),
    };

    /// <summary>A duration as Go writes it: <c>1h30m</c>, <c>300ms</c>.</summary>
    public static TimeSpan Duration(string text)
    {
        var match = GoDuration().Match(text);
        if (!match.Success || text.Length == 0)
        {
            throw new CelException($"duration: time: invalid duration \"{text}\"");
        }

        var seconds = 0.0;
        for (var i = 0; i < match.Groups["value"].Captures.Count; i++)
        {
            seconds += double.Parse(match.Groups["value"].Captures[i].Value, CultureInfo.InvariantCulture) * match.Groups["unit"].Captures[i].Value switch
            {
                "h" => 3600,
                "m" => 60,
                "s" => 1,
                "ms" => 1e-3,
                "us" or "µs" => 1e-6,
                _ => 1e-9,
            };
        }

        return TimeSpan.FromSeconds(match.Groups["sign"].Value == "-" ? -seconds : seconds);
    }

    private static object? Reckon(string symbol, object? left, object? right)
    {
        try
        {
            return (symbol, left, right) switch
            {
                ("+", long a, long b) => checked(a + b),
                ("-", long a, long b) => checked(a - b),
                ("*", long a, long b) => checked(a * b),
                ("/", long a, long b) => b == 0 ? throw new CelException("division by zero") : a / b,
                ("%", long a, long b) => b == 0 ? throw new CelException("modulus by zero") : a % b,
                ("+", double a, double b) => a + b,
                ("-", double a, double b) => a - b,
                ("-", long a, double b) => a - b,
                ("*", double a, double b) => a * b,
                ("/", double a, double b) => a / b,
                ("+", string a, string b) => a + b,
                ("+", IReadOnlyList<object?> a, IReadOnlyList<object?> b) => a.Concat(b).ToList(),
                ("+", DateTimeOffset a, TimeSpan b) => a + b,
                ("-", DateTimeOffset a, TimeSpan b) => a - b,
                ("-", DateTimeOffset a, DateTimeOffset b) => a - b,
                ("+", TimeSpan a, TimeSpan b) => a + b,
                ("-", TimeSpan a, TimeSpan b) => a - b,
                _ => throw CelException.NoSuchOverload($"_{symbol}_"),
            };
        }
        catch (OverflowException)
        {
            throw new CelException("integer overflow");
        }
    }

    private static object? ToInt(object? value) => value switch
    {
        long whole => whole,
        double real => (long)real,
        string text => long.Parse(text, CultureInfo.InvariantCulture),
        DateTimeOffset moment => moment.ToUnixTimeSeconds(),
        _ => throw CelException.NoSuchOverload("int"),
    };

    private static long Size(object? value) => value switch
    {
        string text => text.EnumerateRunes().Count(),
        IReadOnlyList<object?> list => list.Count,
        IReadOnlyDictionary<string, object?> map => map.Count,
        _ => throw CelException.NoSuchOverload("size"),
    };

    private static string Text(object? value) => value as string ?? throw CelException.NoSuchOverload("string");

    private static long Whole(object? value) => value is long whole ? whole : throw CelException.NoSuchOverload("int");

    private static IReadOnlyList<object?> List(object? value) => value as IReadOnlyList<object?> ?? throw CelException.NoSuchOverload("list");

    [GeneratedRegex(@"^(?<sign>[-+]?)(?:(?<value>[0-9]*\.?[0-9]+)(?<unit>ms|us|µs|ns|h|m|s))+$|^(?<sign>)(?<zero>0)$", RegexOptions.None, 1000)]
    private static partial Regex GoDuration();
}
