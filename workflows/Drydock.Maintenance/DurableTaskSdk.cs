// Whose Durable Task SDK: see DurableTaskSdk.props. Everything else in this project uses members that both have.
#if OFFICIAL_DURABLETASK_SDK
global using Microsoft.DurableTask;
#else
global using Drydock.DurableTask;
#endif
