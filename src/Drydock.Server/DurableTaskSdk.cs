// Nothing else in this project names the namespaces of the client surface, so that the switch of design D2 stays one file.
global using Drydock.DurableTask;
global using Drydock.DurableTask.Client;
