namespace Drydock.DurableTask.Worker;

/// <summary>
/// Says what is to be known of an exception besides its type and message. Registered as a service, the worker asks it for each exception that
/// fails an activity, an orchestration or an operation of an entity; callers find what it said in <see cref="TaskFailureDetails.Properties"/>.
/// </summary>
public interface IExceptionPropertiesProvider
{
    /// <summary>
    /// The properties of an exception; null if there are none. Texts, numbers, booleans, dates, lists and dictionaries of them are kept as
    /// such, others as their text. For an orchestration it is asked again on replay, and must say the same.
    /// </summary>
    IDictionary<string, object?>? GetExceptionProperties(Exception exception);
}
