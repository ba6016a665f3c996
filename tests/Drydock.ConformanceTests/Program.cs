using Drydock.ConformanceTests.TaskHub;
using Drydock.ConformanceTests.TaskHub.Crashes;
using Xunit.Runner.InProc.SystemConsole;

// The tests; or, by hand, `kill-loop --minutes N`; or a process that one of them kills.
return args switch
{
    [HubKillLoopTests.Verb, ..] => await HubKillLoopTests.RunAsync(args),
    [CrashChild.Verb, ..] => await CrashChild.RunAsync(args),
    [PoisonTests.Verb, ..] => await PoisonTests.RunAsync(args),
    [PostgreSqlTakeoverTests.Verb, ..] => await PostgreSqlTakeoverTests.RunAsync(args),
    [FullDiskTests.Verb, ..] => await FullDiskTests.RunAsync(args),
    [KillLoop.Verb, ..] => await KillLoop.RunLoadAsync(args),
    _ => await ConsoleRunner.Run(args),
};
