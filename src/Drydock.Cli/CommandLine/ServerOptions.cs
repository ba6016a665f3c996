using System.CommandLine;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drydock.Api;
using Drydock.Cli.Verbs;
using Drydock.Kubernetes;

namespace Drydock.Cli.CommandLine;

/// <summary>How a verb reaches a server and shows who asks: <c>--server</c>, <c>--token</c>, the kubeconfig, <c>--certificate-authority</c>.</summary>
internal sealed class ServerOptions
{
    private readonly Option<Uri> _server = CommonOptions.Server();
    private readonly Option<string?> _token = new("--token")
    {
        Description = "The bearer token that says who asks; else DRYDOCK_TOKEN, else the token of the kubeconfig if the server wants one.",
        HelpName = "token",
    };

    private readonly Option<string?> _authority = new("--certificate-authority")
    {
        Description = "A PEM file with the certificate that the server's must come from; else DRYDOCK_CERTIFICATE_AUTHORITY, else those of this machine.",
        HelpName = "file",
    };

    private readonly Option<string?> _kubeconfig = CommonOptions.Kubeconfig();
    private readonly Option<string?> _context = CommonOptions.Context();

    /// <summary>Adds the options.</summary>
    public void AddTo(Command verb)
    {
        foreach (var option in (Option[])[_server, _token, _kubeconfig, _context, _authority])
        {
            verb.Options.Add(option);
        }
    }

    /// <summary>Where the server is.</summary>
    public Uri Address(ParseResult parsed) => parsed.GetValue(_server)!;

    /// <summary>A client for it.</summary>
    /// <exception cref="CommandFailedException">A file cannot be used, or the token would go over the network for everybody to read.</exception>
    public DrydockApiClient Client(ParseResult parsed, Terminal terminal)
    {
        var address = Address(parsed);
        var token = parsed.GetValue(_token) ?? terminal.Variable("DRYDOCK_TOKEN");
        var isPrivate = address.Scheme == Uri.UriSchemeHttps || address.IsLoopback;
        if (token is not null && !isPrivate)
        {
            throw new CommandFailedException(
                ExitCodes.BadInput, $"The token would go to {address} for everybody on the way to read; nothing was sent.", "Use an https address.");
        }

        // The default kubeconfig may be missing; one that was named may not.
        var (named, context) = (parsed.GetValue(_kubeconfig), parsed.GetValue(_context));
        var login = new LoginHandler(
            token,
            isPrivate ? cancellationToken => ReadKubeconfigAsync(CommonOptions.Connection(named, context), named is not null || context is not null, cancellationToken) : null)
        {
            InnerHandler = Transport(parsed.GetValue(_authority) ?? terminal.Variable("DRYDOCK_CERTIFICATE_AUTHORITY")),
        };
        return DrydockApiClient.For(address, Caller.Name, login);
    }

    private static async Task<string?> ReadKubeconfigAsync(ClusterConnection connection, bool isNamed, CancellationToken cancellationToken)
    {
        try
        {
            return await KubeconfigToken.ReadAsync(connection, cancellationToken);
        }
        catch (ClusterConnectionException) when (!isNamed)
        {
            return null;
        }
    }

    private static SocketsHttpHandler Transport(string? authorityFile)
    {
        var handler = new SocketsHttpHandler();
        if (authorityFile is null)
        {
            return handler;
        }

        var roots = new X509Certificate2Collection();
        try
        {
            roots.ImportFromPemFile(authorityFile);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new CommandFailedException(
                ExitCodes.BadInput, $"The certificate authority {authorityFile} cannot be read: {exception.Message}", "Give a PEM file with --certificate-authority.", exception);
        }

        if (roots.Count == 0)
        {
            throw new CommandFailedException(ExitCodes.BadInput, $"The file {authorityFile} has no certificate.", "Give a PEM file with --certificate-authority.");
        }

        handler.SslOptions.RemoteCertificateValidationCallback = (_, certificate, _, errors) =>
        {
            if (certificate is not X509Certificate2 shown || (errors & ~SslPolicyErrors.RemoteCertificateChainErrors) != SslPolicyErrors.None)
            {
                return false;
            }

            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(roots);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            return chain.Build(shown);
        };
        return handler;
    }

    /// <summary>Sends the token. Without one, the kubeconfig is only asked (its login program run) once the server says that it wants one.</summary>
    private sealed class LoginHandler(string? token, Func<CancellationToken, Task<string?>>? login) : DelegatingHandler
    {
        private string? _token = token;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Sign(request);
            var answer = await base.SendAsync(request, cancellationToken);
            if (answer.StatusCode != System.Net.HttpStatusCode.Unauthorized || _token is not null || login is null)
            {
                return answer;
            }

            _token = await login(cancellationToken);
            if (_token is null)
            {
                return answer;
            }

            answer.Dispose();
            Sign(request);
            return await base.SendAsync(request, cancellationToken);
        }

        private void Sign(HttpRequestMessage request)
        {
            if (_token is not null)
            {
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
            }
        }
    }
}
