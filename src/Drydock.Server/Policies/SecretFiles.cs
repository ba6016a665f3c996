using Drydock.Maintenance;

namespace Drydock.Server.Policies;

/// <summary>Secrets from one folder of mounted files; a name is a file name and nothing else.</summary>
internal sealed class SecretFiles(string? folder) : ISecretFiles
{
    public async Task<string?> ReadAsync(string name, CancellationToken cancellationToken)
    {
        if (folder is null || !IsName(name) || !File.Exists(Path.Combine(folder, name)))
        {
            return null;
        }

        return (await File.ReadAllTextAsync(Path.Combine(folder, name), cancellationToken)).TrimEnd('\r', '\n');
    }

    /// <summary>As the keys of a Secret: letters, digits, '-', '_' and '.', and never a way out of the folder.</summary>
    internal static bool IsName(string name) =>
        name.Length is > 0 and <= 253 && !name.StartsWith('.') && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
