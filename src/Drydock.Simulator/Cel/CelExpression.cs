namespace Drydock.Simulator.Cel;

/// <summary>
/// An expression of the Common Expression Language, as rules of CustomResourceDefinitions are written in. Dynamically typed: what the API
/// server's compiler would find wrong with types shows when the rule is evaluated.
/// </summary>
internal sealed class CelExpression
{
    private readonly CelNode _root;

    private CelExpression(CelNode root) => _root = root;

    /// <summary>Reads an expression.</summary>
    /// <exception cref="CelException">It is none, or calls a function that is not known.</exception>
    public static CelExpression Parse(string text) => new(CelParser.Parse(text));

    /// <summary>Whether it mentions a variable, such as <c>oldSelf</c>.</summary>
    public bool Mentions(string variable) => _root.Mentions(variable);

    /// <summary>Its value.</summary>
    /// <exception cref="CelException">It has none: a key that is not there, an operation that is not defined.</exception>
    public object? Evaluate(params ReadOnlySpan<(string Name, object? Value)> variables)
    {
        Scope? scope = null;
        foreach (var (name, value) in variables)
        {
            scope = new Scope(name, value, scope);
        }

        return _root.Evaluate(scope);
    }
}
