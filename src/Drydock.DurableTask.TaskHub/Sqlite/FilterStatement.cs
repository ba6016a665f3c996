using System.Globalization;
using System.Text;
using Google.Protobuf.WellKnownTypes;

namespace Drydock.DurableTask.TaskHub.Sqlite;

/// <summary>A filter of instances as SQL.</summary>
internal static class FilterStatement
{
    // Parameters 1 and 2 belong to the query.
    private const int First = 3;

    public static void AppendTo(this InstanceFilter filter, StringBuilder sql)
    {
        if (filter.Statuses.Count > 0)
        {
            var numbers = filter.Statuses.Select(status => ((int)status).ToString(CultureInfo.InvariantCulture));
            sql.Append(" AND i.status IN (").AppendJoin(',', numbers).Append(')');
        }

        if (filter.NotOfEndedParents)
        {
            sql.Append(" AND NOT EXISTS (SELECT 1 FROM instances p WHERE p.key = i.parent_key AND p.completed_at IS NOT NULL)");
        }

        var parameter = First;
        foreach (var (condition, value) in Conditions(filter))
        {
            if (value is not null)
            {
                sql.Append(" AND ").AppendFormat(CultureInfo.InvariantCulture, condition, parameter++);
            }
        }
    }

    public static void Bind(this InstanceFilter filter, Statement statement)
    {
        var parameter = First;
        foreach (var (_, value) in Conditions(filter))
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

    private static IEnumerable<(string Condition, object? Value)> Conditions(InstanceFilter filter) =>
    [
        ("i.created_at >= ?{0}", Ticks(filter.CreatedFrom)),
        ("i.created_at <= ?{0}", Ticks(filter.CreatedTo)),
        ("i.completed_at >= ?{0}", Ticks(filter.CompletedFrom)),
        ("i.completed_at <= ?{0}", Ticks(filter.CompletedTo)),
        ("i.id >= ?{0}", string.IsNullOrEmpty(filter.IdPrefix) ? null : filter.IdPrefix),
        ("i.id < ?{0}", filter.IdEnd),
        ("substr(i.id, 1, length(?{0})) = ?{0}", string.IsNullOrEmpty(filter.IdPrefix) ? null : filter.IdPrefix),
    ];

    private static object? Ticks(Timestamp? timestamp) => timestamp?.ToDateTime().Ticks;
}
