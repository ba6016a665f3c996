using System.Net;
using System.Net.Sockets;

namespace Drydock.Benchmarks.Engine;

/// <summary>Ports of the loopback address.</summary>
internal static class Ports
{
    /// <summary>A port that nobody used just now.</summary>
    public static int Free()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
