using System.Net;
using System.Net.Sockets;

namespace Drydock.Tests;

/// <summary>Ports of this machine for servers that have to be told theirs, and that come back on it.</summary>
internal static class Ports
{
    // Below those that Linux gives to clients: none of the connections that are made meanwhile gets it.
    private const int First = 20_000;
    private const int End = 32_000;

    /// <summary>One that nobody listens on.</summary>
    public static int Free()
    {
        while (true)
        {
            var port = Random.Shared.Next(First, End);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // Another one, then.
            }
        }
    }
}
