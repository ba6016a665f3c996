// Whose Durable Task SDK: see DurableTaskSdk.props. Everything else in this project uses members that both have.
#if OFFICIAL_DURABLETASK_SDK
global using Microsoft.DurableTask;
global using Microsoft.DurableTask.Client;
global using OrchestrationAlreadyExistsException = DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException;
#else
global using Drydock.DurableTask;
global using Drydock.DurableTask.Client;
#endif
