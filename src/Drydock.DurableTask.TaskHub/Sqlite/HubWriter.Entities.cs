using Drydock.DurableTask.TaskHub.Dispatch;

namespace Drydock.DurableTask.TaskHub.Sqlite;

internal sealed partial class HubWriter
{
    private Statement _readEntity = null!;
    private Statement _writeEntity = null!;
    private Statement _deleteEntity = null!;
    private Statement _lockedEntities = null!;

    /// <summary>What an entity has besides its inbox; null if the instance is no entity yet.</summary>
    private EntityState? ReadEntity(long key)
    {
        _readEntity.Bind(1, key);
        var entity = _readEntity.Step()
            ? new EntityState { State = _readEntity.TextOrNull(0), LockedBy = _readEntity.TextOrNull(1), CriticalSection = _readEntity.TextOrNull(2) }
            : null;
        _readEntity.Reset();
        return entity;
    }

    public void WriteEntity(long key, EntityState entity, DateTime now)
    {
        Begin();
        _writeEntity
            .Bind(1, key).Bind(2, entity.State).Bind(3, entity.LockedBy).Bind(4, entity.CriticalSection).Bind(5, now.Ticks)
            .Execute();
    }

    public void DeleteEntity(long key)
    {
        Begin();
        _deleteEntity.Bind(1, key).Execute();
    }

    /// <summary>Every entity that is locked, and by whom.</summary>
    private List<(long Key, string LockedBy)> LockedEntities()
    {
        List<(long, string)> locked = [];
        while (_lockedEntities.Step())
        {
            locked.Add((_lockedEntities.Int64(0), _lockedEntities.Text(1)));
        }

        _lockedEntities.Reset();
        return locked;
    }

    private void PrepareEntities()
    {
        _readEntity = Prepare("SELECT state, locked_by, critical_section FROM entities WHERE key = ?1");
        _writeEntity = Prepare(
            "INSERT OR REPLACE INTO entities (key, state, locked_by, critical_section, modified_at) VALUES (?1, ?2, ?3, ?4, ?5)");
        _deleteEntity = Prepare("DELETE FROM entities WHERE key = ?1");
        _lockedEntities = Prepare("SELECT key, locked_by FROM entities WHERE locked_by IS NOT NULL");
    }
}
