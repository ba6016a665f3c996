using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Drydock.Simulator.Cel;

internal enum TokenKind
{
    Identifier,
    Value,
    Symbol,
    End,
}

/// <summary>A word of an expression.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The text of an identifier or symbol.</param>
/// <param name="Value">The value of a literal.</param>
/// <param name="Position">Where it begins.</param>
internal sealed record Token(TokenKind Kind, string Text, object? Value, int Position);

/// <summary>Cuts an expression into words. Grammar: cel-spec, langdef.md.</summary>
internal static partial class CelLexer
{
    public static List<Token> Read(string text)
    {
        var tokens = new List<Token>();
        for (var at = 0; at < text.Length;)
        {
            var match = Word().Match(text, at);
            if (!match.Success)
            {
                throw new CelException($"Syntax error at {at + 1}: token recognition error at: '{text[at]}'");
            }

            if (!match.Groups["skip"].Success)
            {
                tokens.Add(TokenOf(match));
            }

            at += match.Length;
        }

        tokens.Add(new Token(TokenKind.End, "", null, text.Length));

        return tokens;
    }

    private static Token TokenOf(Match match)
    {
        var at = match.Index;
        if (match.Groups["string"].Success)
        {
            var body = match.Groups["body"].Value;

            return new(TokenKind.Value, match.Value, match.Groups["raw"].Length > 0 ? body : Unescape(body), at);
        }

        if (match.Groups["real"].Success)
        {
            return new(TokenKind.Value, match.Value, double.Parse(match.Value, CultureInfo.InvariantCulture), at);
        }

        if (match.Groups["hex"].Success)
        {
            return new(TokenKind.Value, match.Value, long.Parse(match.Groups["digits"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture), at);
        }

        if (match.Groups["whole"].Success)
        {
            return new(TokenKind.Value, match.Value, long.Parse(match.Value.TrimEnd('u', 'U'), CultureInfo.InvariantCulture), at);
        }

        return match.Value switch
        {
            "true" => new(TokenKind.Value, match.Value, true, at),
            "false" => new(TokenKind.Value, match.Value, false, at),
            "null" => new(TokenKind.Value, match.Value, null, at),
            "in" => new(TokenKind.Symbol, "in", null, at),
            var word => new(match.Groups["name"].Success ? TokenKind.Identifier : TokenKind.Symbol, word, null, at),
        };
    }

    private static string Unescape(string body)
    {
        var result = new StringBuilder();
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] != '\\')
            {
                result.Append(body[i]);
                continue;
            }

            var next = body[++i];
            if (next is 'x' or 'u' or 'U')
            {
                var length = next switch { 'x' => 2, 'u' => 4, _ => 8 };
                result.Append(char.ConvertFromUtf32(int.Parse(body.AsSpan(i + 1, length), NumberStyles.HexNumber, CultureInfo.InvariantCulture)));
                i += length;
            }
            else
            {
                result.Append(next switch { 'n' => '\n', 't' => '\t', 'r' => '\r', 'a' => '\a', 'b' => '\b', 'f' => '\f', 'v' => '\v', _ => next });
            }
        }

        return result.ToString();
    }

    [GeneratedRegex("""
        \G(?:
          (?<skip> \s+ | //[^\n]* )
        | (?<string> (?<raw>[rR]?) (?: "(?<body>(?:[^"\\\n]|\\.)*)" | '(?<body>(?:[^'\\\n]|\\.)*)' ) )
        | (?<real> [0-9]+\.[0-9]+(?:[eE][-+]?[0-9]+)? | [0-9]+[eE][-+]?[0-9]+ )
        | (?<hex> 0x(?<digits>[0-9a-fA-F]+) )
        | (?<whole> [0-9]+[uU]? )
        | (?<name> [_a-zA-Z][_a-zA-Z0-9]* )
        | (?: == | != | <= | >= | && | \|\| | [-+*/%!<>?:.,()\[\]{}] )
        )
        """, RegexOptions.IgnorePatternWhitespace, 1000)]
    private static partial Regex Word();
}
