namespace Drydock.Simulator.Cel;

/// <summary>Reads an expression by descending through the levels of precedence. Grammar: cel-spec, langdef.md.</summary>
internal sealed class CelParser
{
    private static readonly string[][] _levels = [["||"], ["&&"], ["==", "!=", "<", "<=", ">", ">=", "in"], ["+", "-"], ["*", "/", "%"]];
    private readonly List<Token> _tokens;
    private int _at;

    private CelParser(List<Token> tokens) => _tokens = tokens;

    private Token Next => _tokens[_at];

    /// <summary>The expression a text is.</summary>
    /// <exception cref="CelException">It is none.</exception>
    public static CelNode Parse(string text)
    {
        var parser = new CelParser(CelLexer.Read(text));
        var node = parser.Conditional();

        return parser.Next.Kind is TokenKind.End ? node : throw parser.Unexpected();
    }

    private CelNode Conditional()
    {
        var condition = Binary(0);
        if (!Take("?"))
        {
            return condition;
        }

        var yes = Binary(0);
        Expect(":");

        return new Choice(condition, yes, Conditional());
    }

    private CelNode Binary(int level)
    {
        if (level == _levels.Length)
        {
            return Unary();
        }

        var left = Binary(level + 1);
        while (Next.Kind is TokenKind.Symbol && _levels[level].Contains(Next.Text))
        {
            var symbol = _tokens[_at++].Text;
            var right = Binary(level + 1);
            left = symbol is "||" or "&&" ? new Logic(symbol == "&&", left, right) : new Operation(symbol, left, right);
        }

        return left;
    }

    private CelNode Unary()
    {
        if (Take("!"))
        {
            return new Not(Unary());
        }

        if (Take("-"))
        {
            return Next.Value is long or double && _tokens[_at + 1].Text is not "." and not "["
                ? new Literal(_tokens[_at++].Value is long whole ? -whole : -(double)_tokens[_at - 1].Value!)
                : new Operation("-", new Literal(0L), Unary());
        }

        return Member(Primary());
    }

    private CelNode Member(CelNode node)
    {
        while (true)
        {
            if (Take("."))
            {
                var name = Identifier();
                node = Take("(") ? CelMacros.Method(node, name, Arguments(")")) : new Field(node, Unescaped(name));
            }
            else if (Take("["))
            {
                node = new Index(node, Conditional());
                Expect("]");
            }
            else
            {
                return node;
            }
        }
    }

    private CelNode Primary()
    {
        var token = Next;
        if (token.Kind is TokenKind.Value)
        {
            _at++;

            return new Literal(token.Value);
        }

        if (token.Kind is TokenKind.Identifier)
        {
            _at++;

            return Take("(") ? CelMacros.Function(token.Text, Arguments(")")) : new Variable(token.Text);
        }

        if (Take("("))
        {
            var inner = Conditional();
            Expect(")");

            return inner;
        }

        if (Take("["))
        {
            return new ListOf(Arguments("]"));
        }

        return Take("{") ? new MapOf(Entries()) : throw Unexpected();
    }

    private List<CelNode> Arguments(string end)
    {
        var arguments = new List<CelNode>();
        while (!Take(end))
        {
            arguments.Add(Conditional());
            if (!Take(","))
            {
                Expect(end);

                break;
            }
        }

        return arguments;
    }

    private List<(CelNode Key, CelNode Value)> Entries()
    {
        var entries = new List<(CelNode, CelNode)>();
        while (!Take("}"))
        {
            var key = Conditional();
            Expect(":");
            entries.Add((key, Conditional()));
            if (!Take(","))
            {
                Expect("}");

                break;
            }
        }

        return entries;
    }

    /// <summary>Names that are no identifiers are escaped in rules: <c>my-field</c> is <c>my__dash__field</c>.</summary>
    private static string Unescaped(string name) => name
        .Replace("__dash__", "-", StringComparison.Ordinal).Replace("__dot__", ".", StringComparison.Ordinal)
        .Replace("__slash__", "/", StringComparison.Ordinal).Replace("__underscores__", "__", StringComparison.Ordinal)
        is var plain && plain.Length > 4 && plain.StartsWith("__", StringComparison.Ordinal) && plain.EndsWith("__", StringComparison.Ordinal)
            ? plain[2..^2]
            : plain;

    private string Identifier() => Next.Kind is TokenKind.Identifier || Next.Text is "in" ? _tokens[_at++].Text : throw Unexpected();

    private bool Take(string symbol)
    {
        if (Next.Kind is not TokenKind.Symbol || Next.Text != symbol)
        {
            return false;
        }

        _at++;

        return true;
    }

    private void Expect(string symbol)
    {
        if (!Take(symbol))
        {
            throw Unexpected();
        }
    }

    private CelException Unexpected() =>
        new($"Syntax error at {Next.Position + 1}: unexpected {(Next.Kind is TokenKind.End ? "end of the expression" : $"'{Next.Text}'")}");
}
