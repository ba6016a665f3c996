namespace Drydock.Simulator.Store;

/// <summary>Uids and the suffixes of generated names, from a seed. Guarded by the store's lock.</summary>
internal sealed class Identities(int seed)
{
    // No vowels and no digits that look like letters: what Kubernetes uses.
    private const string Alphabet = "bcdfghjklmnpqrstvwxz2456789";

    private readonly Random _random = new(seed);

    public string Uid()
    {
        Span<byte> bytes = stackalloc byte[16];
        _random.NextBytes(bytes);
        bytes[7] = (byte)((bytes[7] & 0x0F) | 0x40);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);

        return new Guid(bytes).ToString();
    }

    public string Suffix() => string.Create(5, _random, static (text, random) =>
    {
        for (var i = 0; i < text.Length; i++)
        {
            text[i] = Alphabet[random.Next(Alphabet.Length)];
        }
    });
}
