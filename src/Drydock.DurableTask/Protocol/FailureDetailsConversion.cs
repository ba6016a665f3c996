using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using ProtocolFailure = Drydock.DurableTask.Protobuf.TaskFailureDetails;

namespace Drydock.DurableTask;

/// <summary>Failures between the protocol and the authoring surface.</summary>
internal static class FailureDetailsConversion
{
    // The official SDK marks dates so, because JSON has none.
    private const string DateTimePrefix = "dt:";
    private const string DateTimeOffsetPrefix = "dto:";

    /// <summary>A failure as users see it.</summary>
    public static TaskFailureDetails ToDetails(this ProtocolFailure? failure) => failure is null
        ? new TaskFailureDetails("(unknown)", "(unknown)", StackTrace: null, InnerFailure: null, Properties: null)
        : new TaskFailureDetails(
            failure.ErrorType,
            failure.ErrorMessage,
            failure.StackTrace,
            failure.InnerFailure?.ToDetails(),
            failure.Properties.Count == 0 ? null : failure.Properties.ToDictionary(entry => entry.Key, entry => FromValue(entry.Value)))
        {
            IsNonRetriable = failure.IsNonRetriable,
        };

    /// <summary>A failure as it is stored.</summary>
    public static ProtocolFailure ToProtocol(this TaskFailureDetails failure)
    {
        var result = new ProtocolFailure
        {
            ErrorType = failure.ErrorType,
            ErrorMessage = failure.ErrorMessage,
            StackTrace = failure.StackTrace,
            InnerFailure = failure.InnerFailure?.ToProtocol(),
            IsNonRetriable = failure.IsNonRetriable,
        };
        foreach (var (key, value) in failure.Properties ?? new Dictionary<string, object?>())
        {
            result.Properties.Add(key, ToValue(value));
        }

        return result;
    }

    private static Value ToValue(object? value) => value switch
    {
        null => Value.ForNull(),
        bool flag => Value.ForBool(flag),
        string text => Value.ForString(text),
        DateTime moment => Value.ForString(DateTimePrefix + moment.ToString("O")),
        DateTimeOffset moment => Value.ForString(DateTimeOffsetPrefix + moment.ToString("O")),
        System.Enum name => Value.ForString(name.ToString()),
        IDictionary<string, object?> map => Value.ForStruct(ToStruct(map)),
        IConvertible number when number.GetTypeCode() is >= TypeCode.SByte and <= TypeCode.Decimal =>
            Value.ForNumber(number.ToDouble(CultureInfo.InvariantCulture)),
        System.Collections.IEnumerable items => Value.ForList([.. items.Cast<object?>().Select(ToValue)]),
        _ => Value.ForString(value.ToString()),
    };

    private static Struct ToStruct(IDictionary<string, object?> map)
    {
        var result = new Struct();
        foreach (var (key, value) in map)
        {
            result.Fields.Add(key, ToValue(value));
        }

        return result;
    }

    private static object? FromValue(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.BoolValue => value.BoolValue,
        Value.KindOneofCase.NumberValue => value.NumberValue,
        Value.KindOneofCase.StringValue => FromText(value.StringValue),
        Value.KindOneofCase.StructValue => value.StructValue.Fields.ToDictionary(entry => entry.Key, entry => FromValue(entry.Value)),
        Value.KindOneofCase.ListValue => value.ListValue.Values.Select(FromValue).ToList(),
        _ => null,
    };

    private static object FromText(string text)
    {
        if (text.StartsWith(DateTimeOffsetPrefix, StringComparison.Ordinal)
            && DateTimeOffset.TryParse(
                text[DateTimeOffsetPrefix.Length..], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var offset))
        {
            return offset;
        }

        return text.StartsWith(DateTimePrefix, StringComparison.Ordinal)
            && DateTime.TryParse(text[DateTimePrefix.Length..], CultureInfo.InvariantCulture, DateTimeStyles.RoundtripKind, out var moment)
                ? moment
                : text;
    }
}
