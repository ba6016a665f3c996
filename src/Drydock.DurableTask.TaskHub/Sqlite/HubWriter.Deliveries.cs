namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>How often items were given out that nobody answered. In a quiet life there is none, and this costs nothing.</summary>
internal sealed partial class HubWriter
{
    private readonly Dictionary<(long Key, long Seq), int> _deliveries = [];
    private Statement _writeDelivery = null!;
    private Statement _deleteDelivery = null!;
    private Statement _allDeliveries = null!;

    public int CountDelivery(long key, long seq, bool wasLost)
    {
        var before = Math.Max(_deliveries.GetValueOrDefault((key, seq)), wasLost ? 1 : 0);
        WriteDeliveries(key, seq, before + 1);
        return before;
    }

    public int UncountDelivery(long key, long seq)
    {
        var left = _deliveries.GetValueOrDefault((key, seq)) - 1;
        if (left > 0)
        {
            WriteDeliveries(key, seq, left);
            return left;
        }

        ForgetDeliveries(key, seq);
        return 0;
    }

    public void ForgetDeliveries(long key, long seq)
    {
        if (_deliveries.Remove((key, seq)))
        {
            Begin();
            _deleteDelivery.Bind(1, key).Bind(2, seq).Execute();
        }
    }

    private void WriteDeliveries(long key, long seq, int count)
    {
        _deliveries[(key, seq)] = count;
        Begin();
        _writeDelivery.Bind(1, key).Bind(2, seq).Bind(3, count).Execute();
    }

    private void LoadDeliveries()
    {
        _deliveries.Clear();
        while (_allDeliveries.Step())
        {
            _deliveries[(_allDeliveries.Int64(0), _allDeliveries.Int64(1))] = (int)_allDeliveries.Int64(2);
        }

        _allDeliveries.Reset();
    }

    private void PrepareDeliveries()
    {
        _writeDelivery = Prepare("INSERT OR REPLACE INTO deliveries (instance_key, seq, count) VALUES (?1, ?2, ?3)");
        _deleteDelivery = Prepare("DELETE FROM deliveries WHERE instance_key = ?1 AND seq = ?2");
        _allDeliveries = Prepare("SELECT instance_key, seq, count FROM deliveries");
    }
}
