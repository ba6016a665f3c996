using System.CommandLine;
using System.CommandLine.Parsing;
using Drydock.Api;
using Drydock.Kubernetes;

namespace Drydock.Cli.CommandLine;

/// <summary>Options that several verbs have; each call makes a new one, because a symbol belongs to one command.</summary>
internal static class CommonOptions
{
    /// <summary>Where a server is if nobody says otherwise.</summary>
    public const string DefaultServer = "http://127.0.0.1:5480";

    /// <summary><c>-o</c>.</summary>
    public static Option<OutputFormat> Output() => new("--output", "-o")
    {
        Description = "'text' for people or 'json' for programs.",
        HelpName = "text|json",
        CustomParser = result => Choice(result, [("text", OutputFormat.Text), ("json", OutputFormat.Json)]),
    };

    /// <summary><c>--server</c>.</summary>
    public static Option<Uri> Server() => new("--server")
    {
        Description = $"Address of the server; else DRYDOCK_SERVER, else {DefaultServer}.",
        HelpName = "url",
        DefaultValueFactory = result => ServerAddress(result, Environment.GetEnvironmentVariable("DRYDOCK_SERVER") is { Length: > 0 } set ? set : DefaultServer)!,
        CustomParser = result => ServerAddress(result, result.Tokens[0].Value)!,
    };

    /// <summary><c>--kubeconfig</c>.</summary>
    public static Option<string?> Kubeconfig() => new("--kubeconfig")
    {
        Description = "The kubeconfig file; else what kubectl takes: $KUBECONFIG, then ~/.kube/config.",
        HelpName = "file",
    };

    /// <summary><c>--reason</c>.</summary>
    public static Option<string?> Reason() => new("--reason") { Description = "Why, in your words; it is kept.", HelpName = "text" };

    /// <summary><c>--context</c>.</summary>
    public static Option<string?> Context() => new("--context") { Description = "The context of the kubeconfig; else its current one.", HelpName = "name" };

    /// <summary>The node a verb is about.</summary>
    public static Argument<string> Node() => new("node") { Description = "The name of the node, as in 'kubectl get nodes'." };

    /// <summary>The nodes a verb is about, one at least.</summary>
    public static Argument<string[]> Nodes() => new("node")
    {
        Description = "The names of the nodes, as in 'kubectl get nodes'.",
        Arity = ArgumentArity.OneOrMore,
        CustomParser = result =>
        {
            // A mistyped option is no node: what is left over here is answered as such, with the closest word.
            var names = result.Tokens.Select(token => token.Value).TakeWhile(name => !name.StartsWith('-')).ToArray();
            result.OnlyTake(names.Length);
            return names;
        },
    };

    /// <summary>The maintenance a verb is about.</summary>
    public static Argument<string> Id() => new("id") { Description = "The id of the maintenance, as in 'drydock list'." };

    /// <summary>An option whose value is a duration, kept as text.</summary>
    public static Option<string?> Duration(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "duration",
        CustomParser = DurationValue,
    };

    /// <summary>An option whose value is one of a few words, mapped to the API's.</summary>
    public static Option<string?> Choice(string name, string description, params (string Word, string? Value)[] choices) => new(name)
    {
        Description = description,
        HelpName = string.Join('|', choices.Select(choice => choice.Word)),
        CustomParser = result => Choice(result, choices),
    };

    /// <summary>The connection these two options name.</summary>
    public static ClusterConnection Connection(string? kubeconfig, string? context) =>
        kubeconfig is null ? ClusterConnection.Default with { Context = context } : ClusterConnection.FromFile(kubeconfig, context);

    private static string? DurationValue(ArgumentResult result)
    {
        var text = result.Tokens[0].Value;
        if (!DurationText.TryParse(text, out _))
        {
            result.AddError($"'{text}' is not a duration for {OptionName(result)}; give {DurationText.Allowed}.");
        }

        return text;
    }

    private static T? Choice<T>(ArgumentResult result, (string Word, T Value)[] choices)
    {
        var word = result.Tokens[0].Value;
        foreach (var choice in choices)
        {
            if (choice.Word.Equals(word, StringComparison.OrdinalIgnoreCase))
            {
                return choice.Value;
            }
        }

        result.AddError($"'{word}' is not allowed for {OptionName(result)}; give {string.Join(" or ", choices.Select(choice => choice.Word))}.");
        return default;
    }

    private static Uri? ServerAddress(ArgumentResult result, string text)
    {
        if (Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}", UriKind.Absolute, out var address)
            && address.Scheme is "http" or "https")
        {
            return new Uri(address.GetLeftPart(UriPartial.Path).TrimEnd('/') + "/");
        }

        result.AddError($"'{text}' is not an address of a server; give one such as {DefaultServer}.");
        return null;
    }

    private static string OptionName(ArgumentResult result) => (result.Parent as OptionResult)?.Option.Name ?? result.Argument.Name;
}
