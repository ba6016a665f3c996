using Drydock.ConformanceTests.TaskHub.Crashes;
using Xunit.Runner.InProc.SystemConsole;

// The tests; or the process that one of them kills.
return args is [CrashChild.Verb, ..] ? await CrashChild.RunAsync(args) : await ConsoleRunner.Run(args);
