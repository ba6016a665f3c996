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

    /// <summary>Why a named secret cannot be read at the start, or null if it can or none is named.</summary>
    internal static string? Problem(string field, string? name, string? folder) =>
        name is null ? null
        : !IsName(name) ? $"{field}: '{name}' is not the name of a file: letters, digits, '-', '_' and '.'."
        : folder is null ? $"{field}: '{name}' is read from the folder of secrets, and none is given (--secrets)."
        : File.Exists(Path.Combine(folder, name)) ? null
        : $"{field}: there is no file '{name}' in the folder of secrets, {folder}.";

    /// <summary>As the keys of a Secret: letters, digits, '-', '_' and '.', and never a way out of the folder.</summary>
    internal static bool IsName(string name) =>
        name.Length is > 0 and <= 253 && !name.StartsWith('.') && name.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
