namespace Drydock.Simulator.Cel;

/// <summary>The values of variables.</summary>
internal sealed record Scope(string Name, object? Value, Scope? Outer)
{
    public static object? Find(Scope? scope, string name)
    {
        for (var at = scope; at is not null; at = at.Outer)
        {
            if (at.Name == name)
            {
                return at.Value;
            }
        }

        throw new CelException($"undeclared reference to '{name}' (in container '')");
    }
}

/// <summary>A part of an expression.</summary>
internal abstract record CelNode
{
    /// <summary>The parts of this part.</summary>
    public virtual IEnumerable<CelNode> Parts => [];

    /// <summary>Its value.</summary>
    /// <exception cref="CelException">It has none.</exception>
    public abstract object? Evaluate(Scope? scope);

    public bool Mentions(string variable) => this is Variable own ? own.Name == variable : Parts.Any(part => part.Mentions(variable));
}

internal sealed record Literal(object? Value) : CelNode
{
    public override object? Evaluate(Scope? scope) => Value;
}

internal sealed record Variable(string Name) : CelNode
{
    public override object? Evaluate(Scope? scope) => Scope.Find(scope, Name);
}

internal sealed record ListOf(IReadOnlyList<CelNode> Items) : CelNode
{
    public override IEnumerable<CelNode> Parts => Items;

    public override object? Evaluate(Scope? scope) => Items.Select(item => item.Evaluate(scope)).ToList();
}

internal sealed record MapOf(IReadOnlyList<(CelNode Key, CelNode Value)> Entries) : CelNode
{
    public override IEnumerable<CelNode> Parts => Entries.SelectMany(entry => (CelNode[])[entry.Key, entry.Value]);

    public override object? Evaluate(Scope? scope) =>
        Entries.ToDictionary(entry => CelValue.Text(entry.Key.Evaluate(scope)), entry => entry.Value.Evaluate(scope), StringComparer.Ordinal);
}

internal sealed record Field(CelNode Of, string Name) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Of];

    public override object? Evaluate(Scope? scope) => Of.Evaluate(scope) switch
    {
        IReadOnlyDictionary<string, object?> map => map.TryGetValue(Name, out var value) ? value : throw CelException.NoSuchKey(Name),
        _ => throw CelException.NoSuchOverload($"select {Name}"),
    };

    /// <summary>What <c>has(a.b)</c> says.</summary>
    public bool IsThere(Scope? scope) => Of.Evaluate(scope) is IReadOnlyDictionary<string, object?> map && map.ContainsKey(Name);
}

internal sealed record Index(CelNode Of, CelNode At) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Of, At];

    public override object? Evaluate(Scope? scope)
    {
        var at = At.Evaluate(scope);

        return (Of.Evaluate(scope), at) switch
        {
            (IReadOnlyDictionary<string, object?> map, string key) => map.TryGetValue(key, out var value) ? value : throw CelException.NoSuchKey(key),
            (IReadOnlyList<object?> list, long index) =>
                index >= 0 && index < list.Count ? list[(int)index] : throw new CelException($"index out of bounds: {index}"),
            _ => throw CelException.NoSuchOverload("_[_]"),
        };
    }
}

internal sealed record Not(CelNode Of) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Of];

    public override object? Evaluate(Scope? scope) => !CelValue.Truth(Of.Evaluate(scope), "!_");
}

internal sealed record Choice(CelNode If, CelNode Then, CelNode Else) : CelNode
{
    public override IEnumerable<CelNode> Parts => [If, Then, Else];

    public override object? Evaluate(Scope? scope) => (CelValue.Truth(If.Evaluate(scope), "_?_:_") ? Then : Else).Evaluate(scope);
}

/// <summary>And, or: one side that decides is enough, even if the other has no value.</summary>
internal sealed record Logic(bool IsAnd, CelNode Left, CelNode Right) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Left, Right];

    public override object? Evaluate(Scope? scope)
    {
        try
        {
            if (CelValue.Truth(Left.Evaluate(scope), IsAnd ? "_&&_" : "_||_") != IsAnd)
            {
                return !IsAnd;
            }
        }
        catch (CelException)
        {
            if (CelValue.Truth(Right.Evaluate(scope), IsAnd ? "_&&_" : "_||_") != IsAnd)
            {
                return !IsAnd;
            }

            throw;
        }

        return CelValue.Truth(Right.Evaluate(scope), IsAnd ? "_&&_" : "_||_");
    }
}

internal sealed record Operation(string Symbol, CelNode Left, CelNode Right) : CelNode
{
    public override IEnumerable<CelNode> Parts => [Left, Right];

    public override object? Evaluate(Scope? scope) => CelFunctions.Operate(Symbol, Left.Evaluate(scope), Right.Evaluate(scope));
}

internal sealed record Call(string Name, IReadOnlyList<CelNode> Arguments) : CelNode
{
    public override IEnumerable<CelNode> Parts => Arguments;

    public override object? Evaluate(Scope? scope) => CelFunctions.Call(Name, [.. Arguments.Select(argument => argument.Evaluate(scope))]);
}
