using Drydock.Simulator.Api;
using Drydock.Simulator.Store;

namespace Drydock.SimulationTests.Maintenance;

/// <summary>
/// Kills the process once, just before or just after one of its changes of the cluster, or of its readings, is carried out, and notes what
/// was carried out.
/// </summary>
internal sealed class RequestCrash
{
    private readonly List<string> _done = [];
    private readonly World _world;
    private readonly bool _after;
    private int _left;

    private RequestCrash(World world, Func<InterceptedRequest, bool> which, int nth, bool after, Action<InterceptedRequest>? see, bool readings)
    {
        (_world, _left, _after) = (world, nth, after);
        world.Api.Intercept = async request =>
        {
            see?.Invoke(request);
            if (request.IsChange != readings && request.Verb != "watch" && which(request) && await DiesAsync(NameOf(request), request.IsDone) && !after)
            {
                throw new ApiException(503, "ServiceUnavailable", "The process died before this was carried out.");
            }
        };
    }

    /// <summary>Where it died, or null.</summary>
    public string? At { get; private set; }

    /// <summary>Arms it for the nth such change, counting from one; <paramref name="see"/> sees every request before.</summary>
    public static RequestCrash Arm(
        World world, Func<InterceptedRequest, bool> which, int nth, bool after, Action<InterceptedRequest>? see = null) =>
        new(world, which, nth, after, see, readings: false);

    /// <summary>Arms it for the nth reading of the cluster, counting from one; watches are none.</summary>
    public static RequestCrash ArmReadings(World world, int nth, bool after) => new(world, static _ => true, nth, after, see: null, readings: true);

    /// <summary>Asked before and after each change, also of those that go elsewhere; true: the process is dead now.</summary>
    public async Task<bool> DiesAsync(string what, bool isDone)
    {
        if (isDone)
        {
            lock (_done)
            {
                _done.Add(what);
            }
        }

        if (isDone != _after || Interlocked.Decrement(ref _left) != 0)
        {
            return false;
        }

        At = $"{(_after ? "after" : "before")} {what}";
        await _world.KillAsync();
        return true;
    }

    /// <summary>How often something was carried out, such as <c>update virtualmachines.subresources.kubevirt.io/stop</c>.</summary>
    public int Count(string what)
    {
        lock (_done)
        {
            return _done.Count(one => one == what);
        }
    }

    private static string NameOf(InterceptedRequest request) =>
        $"{request.Verb} {request.Resource}{(request.Subresource is null ? "" : "/" + request.Subresource)}";
}
