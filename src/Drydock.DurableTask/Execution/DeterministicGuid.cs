using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Drydock.DurableTask.Execution;

/// <summary>Name-based GUIDs (version 5) in the namespace that all Durable Task SDKs use, so that histories can be replayed by any.</summary>
internal static class DeterministicGuid
{
    private static readonly Guid _namespace = new("9e952958-5e33-4daf-827f-2fa12937b875");

    /// <summary>The <paramref name="counter"/>-th GUID of an execution.</summary>
    public static Guid Create(string instanceId, DateTime currentUtcDateTime, int counter)
    {
        var name = Encoding.UTF8.GetBytes($"{instanceId}_{currentUtcDateTime:o}_{counter}");
        var input = new byte[16 + name.Length];
        _namespace.TryWriteBytes(input, bigEndian: true, out _);
        name.CopyTo(input, 16);

#pragma warning disable CA5350 // Version 5 GUIDs are defined with SHA-1; nothing is protected by it.
        var hash = SHA1.HashData(input).AsSpan(0, 16);
#pragma warning restore CA5350

        var versionField = BinaryPrimitives.ReadUInt16BigEndian(hash[6..]);
        BinaryPrimitives.WriteUInt16BigEndian(hash[6..], (ushort)((versionField & 0x0FFF) | 0x5000));
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new Guid(hash, bigEndian: true);
    }
}
