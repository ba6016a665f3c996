using Drydock.DurableTask.Worker.Hosting;

namespace Drydock.DurableTask.Worker;

internal sealed class TaskHubWorker(string name, IDurableTaskFactory factory) : DurableTaskWorker(name, factory)
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => throw new NotSupportedException("TaskHubWorker");
}
