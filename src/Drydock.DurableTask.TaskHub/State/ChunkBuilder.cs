using Drydock.DurableTask.Protobuf;
using Google.Protobuf;

namespace Drydock.DurableTask.TaskHub.State;

/// <summary>
/// Builds the bytes of a <see cref="HistoryChunk"/> event by event, so that an event that is stored already is copied and not
/// serialized again. One builder serves all turns.
/// </summary>
internal sealed class ChunkBuilder
{
    // Field 1 (events), length-delimited.
    private const byte Tag = (1 << 3) | 2;
    private byte[] _buffer = new byte[4096];
    private int _length;

    public int Count { get; private set; }

    /// <summary>How much of the events is not in the chunk.</summary>
    public long CharactersApart { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    public void Clear()
    {
        _length = 0;
        Count = 0;
        CharactersApart = 0;
        if (_buffer.Length > 1 << 20)
        {
            _buffer = new byte[4096];
        }
    }

    public void Add(HistoryEvent historyEvent)
    {
        var size = historyEvent.CalculateSize();
        historyEvent.WriteTo(Reserve(size));
        CharactersApart += LargePayloads.CharactersApart(historyEvent);
    }

    public void Add(ReadOnlySpan<byte> historyEvent, int charactersApart = 0)
    {
        historyEvent.CopyTo(Reserve(historyEvent.Length));
        CharactersApart += charactersApart;
    }

    private Span<byte> Reserve(int size)
    {
        if (_length + size + 6 > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _length + size + 6));
        }

        _buffer[_length++] = Tag;
        var rest = (uint)size;
        while (rest >= 0x80)
        {
            _buffer[_length++] = (byte)(rest | 0x80);
            rest >>= 7;
        }

        _buffer[_length++] = (byte)rest;
        _length += size;
        Count++;
        return _buffer.AsSpan(_length - size, size);
    }
}
