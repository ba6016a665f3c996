using Drydock.DurableTask.Converters;

namespace Drydock.DurableTask.Worker;

/// <summary>How a worker works.</summary>
public class DurableTaskWorkerOptions
{
    /// <summary>What to do with an instance of a version that this worker must not run.</summary>
    public enum VersionFailureStrategy
    {
        /// <summary>Leave it to another worker.</summary>
        Reject = 0,

        /// <summary>Fail it.</summary>
        Fail = 1,
    }

    /// <summary>Which versions this worker may run.</summary>
    public enum VersionMatchStrategy
    {
        /// <summary>All.</summary>
        None = 0,

        /// <summary>Only its own.</summary>
        Strict = 1,

        /// <summary>Its own and older ones.</summary>
        CurrentOrOlder = 2,
    }

    /// <summary>Turns inputs, outputs and payloads into text. The default is JSON.</summary>
    public DataConverter DataConverter { get; set; } = JsonDataConverter.Default;

    /// <summary>Longer timers are made of several. The default is three days.</summary>
    public TimeSpan MaximumTimerInterval { get; set; } = TimeSpan.FromDays(3);

    /// <summary>Whether entities can be used. The default is false.</summary>
    public bool EnableEntitySupport { get; set; }

    /// <summary>How much is done at once.</summary>
    public ConcurrencyOptions Concurrency { get; } = new();

    /// <summary>How logs are named.</summary>
    public LoggingOptions Logging { get; } = new();

    /// <summary>Which versions this worker runs; null means all.</summary>
    public VersioningOptions? Versioning { get; set; }

    /// <summary>Whether <see cref="Versioning"/> is set.</summary>
    public bool IsVersioningSet => Versioning is not null;

    /// <summary>Says what is to be known of exceptions besides; null if nobody does.</summary>
    internal IExceptionPropertiesProvider? ExceptionProperties { get; set; }

    /// <summary>A failure as it is stored.</summary>
    internal Protobuf.TaskFailureDetails Describe(Exception exception) =>
        TaskFailureDetails.FromException(exception, inner => ExceptionProperties?.GetExceptionProperties(inner)).ToProtocol();

    /// <summary>Makes these options the same as others.</summary>
    internal void CopyFrom(DurableTaskWorkerOptions other)
    {
        DataConverter = other.DataConverter;
        MaximumTimerInterval = other.MaximumTimerInterval;
        EnableEntitySupport = other.EnableEntitySupport;
        Versioning = other.Versioning;
        Logging.UseLegacyCategories = other.Logging.UseLegacyCategories;
        Concurrency.MaximumConcurrentActivityWorkItems = other.Concurrency.MaximumConcurrentActivityWorkItems;
        Concurrency.MaximumConcurrentEntityWorkItems = other.Concurrency.MaximumConcurrentEntityWorkItems;
        Concurrency.MaximumConcurrentOrchestrationWorkItems = other.Concurrency.MaximumConcurrentOrchestrationWorkItems;
    }

    /// <summary>How much is done at once. The default of each is 100 per processor.</summary>
    public class ConcurrencyOptions
    {
        /// <summary>How many activities run at once.</summary>
        public int MaximumConcurrentActivityWorkItems { get; set; } = 100 * Environment.ProcessorCount;

        /// <summary>How many orchestrations take a turn at once.</summary>
        public int MaximumConcurrentOrchestrationWorkItems { get; set; } = 100 * Environment.ProcessorCount;

        /// <summary>How many entities take a turn at once.</summary>
        public int MaximumConcurrentEntityWorkItems { get; set; } = 100 * Environment.ProcessorCount;
    }

    /// <summary>How logs are named.</summary>
    public class LoggingOptions
    {
        /// <summary>Not used; part of the official surface. The default is true.</summary>
        public bool UseLegacyCategories { get; set; } = true;
    }

    /// <summary>Which versions a worker runs.</summary>
    public class VersioningOptions
    {
        /// <summary>The version of the worker. The default is empty.</summary>
        public string Version { get; set; } = string.Empty;

        /// <summary>The version of sub-orchestrations that name none. The default is empty.</summary>
        public string DefaultVersion { get; set; } = string.Empty;

        /// <summary>Which versions the worker may run. The default is all.</summary>
        public VersionMatchStrategy MatchStrategy { get; set; } = VersionMatchStrategy.None;

        /// <summary>What to do with the others. The default is to leave them to another worker.</summary>
        public VersionFailureStrategy FailureStrategy { get; set; } = VersionFailureStrategy.Reject;
    }
}
