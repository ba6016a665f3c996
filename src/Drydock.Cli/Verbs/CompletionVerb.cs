using System.CommandLine;
using Drydock.Cli.CommandLine;

namespace Drydock.Cli.Verbs;

/// <summary><c>completion SHELL</c>: prints what makes a shell complete this program's verbs, options and their values.</summary>
internal static class CompletionVerb
{
    private const string Bash = """
        _drydock() {
          local IFS=$'\n'
          COMPREPLY=($(compgen -W "$(drydock "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null)" -- "${COMP_WORDS[COMP_CWORD]}"))
        }
        complete -o default -F _drydock drydock
        """;

    private const string Zsh = """
        #compdef drydock
        _drydock() {
          local -a found
          found=("${(@f)$(drydock "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
          compadd -- "${found[@]}"
        }
        compdef _drydock drydock
        """;

    private const string Fish = """
        function __drydock_suggest
          set -l line (commandline -cp)
          drydock "[suggest:"(string length -- "$line")"]" "$line" 2>/dev/null
        end
        complete -f -c drydock -a '(__drydock_suggest)'
        """;

    private const string Kubectl = """
        #!/bin/sh
        # kubectl asks an executable of this name, kubectl_complete-drydock, what can follow; it gives the words after 'kubectl drydock'.
        line="drydock $*"
        drydock "[suggest:${#line}]" "$line" 2>/dev/null
        echo ":4"
        """;

    public static Command Create(Terminal terminal)
    {
        var shell = new Argument<string>("shell") { Description = "bash, zsh, fish, or kubectl for 'kubectl drydock'." };
        shell.AcceptOnlyFromAmong("bash", "zsh", "fish", "kubectl");
        var verb = new Verb(
            "completion",
            "Print the shell code that completes verbs, options and values.",
            "source <(drydock completion bash)",
            "drydock completion zsh > ~/.zfunc/_drydock",
            "drydock completion fish > ~/.config/fish/completions/drydock.fish",
            "drydock completion kubectl > ~/bin/kubectl_complete-drydock && chmod +x ~/bin/kubectl_complete-drydock") { shell };
        verb.SetAction(parsed =>
        {
            terminal.Output.WriteLine(parsed.GetValue(shell) switch { "bash" => Bash, "zsh" => Zsh, "fish" => Fish, _ => Kubectl });
            return ExitCodes.Done;
        });
        return verb;
    }
}
