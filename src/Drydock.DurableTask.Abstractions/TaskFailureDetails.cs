using System.Reflection;

namespace Drydock.DurableTask;

/// <summary>A failure as it is stored and sent: the exception's type by name, its message and what caused it.</summary>
/// <param name="ErrorType">The full name of the exception's type, or a name the engine gave.</param>
/// <param name="ErrorMessage">The exception's message.</param>
/// <param name="StackTrace">Where it was thrown, for people.</param>
/// <param name="InnerFailure">What caused it.</param>
/// <param name="Properties">What an exception properties provider added.</param>
public record TaskFailureDetails(
    string ErrorType,
    string ErrorMessage,
    string? StackTrace,
    TaskFailureDetails? InnerFailure,
    IDictionary<string, object?>? Properties)
{
    /// <summary>Trying again cannot help: retry policies and handlers are not asked.</summary>
    internal bool IsNonRetriable { get; init; }

    /// <summary>Describes an exception and its inner ones.</summary>
    public static TaskFailureDetails FromException(Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        return FromException(exception, static _ => null);
    }

    /// <summary>Describes an exception and its inner ones, each with what somebody knows of it besides.</summary>
    internal static TaskFailureDetails FromException(Exception exception, Func<Exception, IDictionary<string, object?>?> propertiesOf) => new(
        ErrorTypeNames.Of(exception.GetType()),
        exception.Message,
        exception.StackTrace,
        InnerOf(exception, propertiesOf),
        propertiesOf(exception));

    /// <summary>Whether the exception was of that type or derived from it; false if its type cannot be found here.</summary>
    public bool IsCausedBy<T>()
        where T : Exception => IsCausedBy(typeof(T));

    /// <summary>Whether the exception was of that type or derived from it; false if its type cannot be found here.</summary>
    /// <exception cref="AmbiguousMatchException">Several loaded assemblies have a type of that name.</exception>
    public bool IsCausedBy(Type targetBaseExceptionType)
    {
        ArgumentNullException.ThrowIfNull(targetBaseExceptionType);
        if (!typeof(Exception).IsAssignableFrom(targetBaseExceptionType))
        {
            throw new ArgumentException($"'{targetBaseExceptionType}' is not an exception type.", nameof(targetBaseExceptionType));
        }

        return ErrorTypeNames.Of(targetBaseExceptionType) == ErrorType
            || (ErrorTypeNames.Find(ErrorType, targetBaseExceptionType.Assembly) is { } type && targetBaseExceptionType.IsAssignableFrom(type));
    }

    /// <inheritdoc/>
    public override string ToString() => $"{ErrorType}: {ErrorMessage}";

    // A failed task's own failure, not an exception, is what caused a TaskFailedException; likewise a failed operation's.
    private static TaskFailureDetails? InnerOf(Exception exception, Func<Exception, IDictionary<string, object?>?> propertiesOf) => exception switch
    {
        TaskFailedException { InnerException: null } failed => failed.FailureDetails,
        Entities.EntityOperationFailedException failed => failed.FailureDetails,
        { InnerException: { } inner } => FromException(inner, propertiesOf),
        _ => null,
    };
}

/// <summary>A task that an orchestrator awaited has failed.</summary>
public sealed class TaskFailedException : Exception
{
    /// <summary>Says which task failed and how.</summary>
    public TaskFailedException(string taskName, int taskId, Exception innerException)
        : base(MessageOf(taskName, taskId, innerException?.Message), innerException)
    {
        ArgumentNullException.ThrowIfNull(innerException);
        TaskName = taskName;
        TaskId = taskId;
        FailureDetails = TaskFailureDetails.FromException(innerException);
    }

    /// <summary>Says which task failed and how.</summary>
    public TaskFailedException(string taskName, int taskId, TaskFailureDetails failureDetails)
        : base(MessageOf(taskName, taskId, failureDetails?.ErrorMessage))
    {
        ArgumentNullException.ThrowIfNull(failureDetails);
        TaskName = taskName;
        TaskId = taskId;
        FailureDetails = failureDetails;
    }

    /// <summary>The name of the activity or the orchestrator.</summary>
    public string TaskName { get; }

    /// <summary>The id of the task within its orchestration.</summary>
    public int TaskId { get; }

    /// <summary>The task's own failure.</summary>
    public TaskFailureDetails FailureDetails { get; }

    /// <summary>Whether the task failed with that exception or one derived from it.</summary>
    [Obsolete("Use FailureDetails.IsCausedBy<T>().")]
    public bool IsCausedByException<T>()
        where T : Exception => FailureDetails.IsCausedBy<T>();

    private static string MessageOf(string taskName, int taskId, string? message) =>
        $"Task '{taskName}' (#{taskId}) failed with an unhandled exception: {message}";
}
