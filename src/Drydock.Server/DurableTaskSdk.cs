// Whose Durable Task SDK: see DurableTaskSdk.props. Nothing else in this project names the namespaces of the authoring and client
// surface, so that the switch of design D2 stays this file and Hosting/DurableTaskRegistration.cs. The hub below it is always ours.
#if OFFICIAL_DURABLETASK_SDK
global using Microsoft.DurableTask;
global using Microsoft.DurableTask.Client;
global using Microsoft.DurableTask.Converters;
global using ITaskHub = Drydock.DurableTask.ITaskHub;
global using ITaskHubExtensions = Drydock.DurableTask.ITaskHubExtensions;
global using TaskHubCounts = Drydock.DurableTask.TaskHubCounts;
global using TaskHubException = Drydock.DurableTask.TaskHubException;
global using OrchestrationAlreadyExistsException = DurableTask.Core.Exceptions.OrchestrationAlreadyExistsException;
#else
global using Drydock.DurableTask;
global using Drydock.DurableTask.Client;
global using Drydock.DurableTask.Converters;
#endif
