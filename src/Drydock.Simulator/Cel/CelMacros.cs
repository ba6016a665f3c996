namespace Drydock.Simulator.Cel;

/// <summary>The calls whose arguments are not simply evaluated: <c>has</c>, <c>all</c>, <c>exists</c>, <c>exists_one</c>, <c>map</c>, <c>filter</c>.</summary>
internal static class CelMacros
{
    public static CelNode Function(string name, List<CelNode> arguments)
    {
        if (name == "has")
        {
            return arguments is [Field field] ? new Has(field) : throw new CelException("invalid argument to has() macro");
        }

        return CelFunctions.Knows(name, arguments.Count)
            ? new Call(name, arguments)
            : throw new CelException($"undeclared reference to '{name}' (in container '')");
    }

    public static CelNode Method(CelNode of, string name, List<CelNode> arguments) => (name, arguments) switch
    {
        ("all" or "exists" or "exists_one" or "filter" or "map", [Variable each, var body]) => new Loop(name, of, each.Name, null, body),
        ("map", [Variable each, var filter, var body]) => new Loop(name, of, each.Name, filter, body),
        _ => Function(name, [of, .. arguments]),
    };
}

internal sealed record Has(Field Of) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Of];

    public override object? Evaluate(Scope? scope) => Of.IsThere(scope);
}

/// <summary>A macro that goes through the items of a list or the keys of a map.</summary>
internal sealed record Loop(string Macro, CelNode Over, string Each, CelNode? Filter, CelNode Body) : CelNode
{
    public override IEnumerable<CelNode> Parts => Filter is null ? [Over, Body] : [Over, Filter, Body];

    public override object? Evaluate(Scope? scope)
    {
        var items = Over.Evaluate(scope) switch
        {
            IReadOnlyList<object?> list => list,
            IReadOnlyDictionary<string, object?> map => [.. map.Keys],
            _ => throw CelException.NoSuchOverload(Macro),
        };
        var scopes = items.Select(item => new Scope(Each, item, scope));

        return Macro switch
        {
            "all" => Decided(scopes, decisive: false),
            "exists" => Decided(scopes, decisive: true),
            "exists_one" => scopes.Count(Holds) == 1,
            "filter" => scopes.Where(Holds).Select(each => each.Value).ToList(),
            _ => scopes.Where(each => Filter is null || CelValue.Truth(Filter.Evaluate(each), Macro)).Select(each => Body.Evaluate(each)).ToList(),
        };
    }

    private bool Holds(Scope scope) => CelValue.Truth(Body.Evaluate(scope), Macro);

    /// <summary>One item that decides is enough, even if others have no value.</summary>
    private bool Decided(IEnumerable<Scope> scopes, bool decisive)
    {
        CelException? without = null;
        foreach (var scope in scopes)
        {
            try
            {
                if (Holds(scope) == decisive)
                {
                    return decisive;
                }
            }
            catch (CelException failure)
            {
                without ??= failure;
            }
        }

        return without is null ? !decisive : throw without;
    }
}
