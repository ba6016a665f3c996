// Whose Durable Task SDK: see DurableTaskSdk.props. Nothing else in this project names the namespaces of the client surface.
#if OFFICIAL_DURABLETASK_SDK
global using Microsoft.DurableTask;
global using Microsoft.DurableTask.Client;
global using OrchestrationAlreadyExistsException = DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException;
#else
global using Drydock.DurableTask;
global using Drydock.DurableTask.Client;
#endif
