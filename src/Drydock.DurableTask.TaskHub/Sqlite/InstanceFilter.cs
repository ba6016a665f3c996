using System.Globalization;
using System.Text;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>Which instances are wanted; what is not given lets everything through. Times are inclusive.</summary>
internal sealed record InstanceFilter(
    IReadOnlyCollection<OrchestrationStatus> Statuses,
    Timestamp? CreatedFrom = null,
    Timestamp? CreatedTo = null,
    Timestamp? CompletedFrom = null,
    Timestamp? CompletedTo = null,
    string? IdPrefix = null,
    bool RootsOnly = false)
{
    // Parameters 1 and 2 belong to the query.
    private const int First = 3;

    public void AppendTo(StringBuilder sql)
    {
        if (Statuses.Count > 0)
        {
            var numbers = Statuses.Select(status => ((int)status).ToString(CultureInfo.InvariantCulture));
            sql.Append(" AND i.status IN (").AppendJoin(',', numbers).Append(')');
        }

        if (RootsOnly)
        {
            sql.Append(" AND i.parent_key IS NULL");
        }

        var parameter = First;
        foreach (var (condition, value) in Conditions())
        {
            if (value is not null)
            {
                sql.Append(" AND ").AppendFormat(CultureInfo.InvariantCulture, condition, parameter++);
            }
        }
    }

    public void Bind(Statement statement)
    {
        var parameter = First;
        foreach (var (_, value) in Conditions())
        {
            switch (value)
            {
                case long number:
                    statement.Bind(parameter++, number);
                    break;
                case string text:
                    statement.Bind(parameter++, text);
                    break;
            }
        }
    }

    private IEnumerable<(string Condition, object? Value)> Conditions() =>
    [
        ("i.created_at >= ?{0}", Ticks(CreatedFrom)),
        ("i.created_at <= ?{0}", Ticks(CreatedTo)),
        ("i.completed_at >= ?{0}", Ticks(CompletedFrom)),
        ("i.completed_at <= ?{0}", Ticks(CompletedTo)),
        ("substr(i.id, 1, length(?{0})) = ?{0}", string.IsNullOrEmpty(IdPrefix) ? null : IdPrefix),
    ];

    private static object? Ticks(Timestamp? timestamp) => timestamp?.ToDateTime().Ticks;
}
