using Microsoft.Extensions.Hosting;

namespace Drydock.DurableTask.Worker.Hosting;

/// <summary>Runs orchestrations and activities for as long as the host runs.</summary>
public abstract class DurableTaskWorker(string? name, IDurableTaskFactory factory) : BackgroundService
{
    /// <summary>Says what is to be known of exceptions besides; null if nobody does.</summary>
    protected IExceptionPropertiesProvider? ExceptionPropertiesProvider { get; set; }

    /// <summary>The name of the worker; empty for the only one.</summary>
    protected virtual string Name { get; } = name ?? string.Empty;

    /// <summary>Creates the tasks.</summary>
    protected virtual IDurableTaskFactory Factory { get; } = factory;
}
