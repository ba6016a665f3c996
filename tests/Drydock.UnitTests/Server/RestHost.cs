using System.Net;
using System.Net.Http.Json;
using System.Text;
using Drydock.Api;
using Drydock.DurableTask.Client;
using Drydock.Kubernetes;
using Drydock.Server;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>REST over the real host on a port of its own; behind the doors a dictionary stands for the engine and a stub for the cluster.</summary>
internal sealed class RestHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RestHost(WebApplication app, InMemoryClient client)
    {
        (_app, Client) = (app, client);
        Address = new Uri(app.Urls.Single());
        Http = new HttpClient { BaseAddress = Address };
    }

    /// <summary>What stands for the engine.</summary>
    public InMemoryClient Client { get; }

    public Uri Address { get; }

    public HttpClient Http { get; }

    public IServiceProvider Services => _app.Services;

    /// <summary>A host that serves.</summary>
    /// <param name="nodes">The nodes of the cluster.</param>
    /// <param name="more">More services to replace.</param>
    public static async Task<RestHost> StartAsync(string[] nodes, Action<IServiceCollection>? more = null)
    {
        var client = new InMemoryClient(TimeProvider.System);
        var app = DrydockHost.Build(
            new DrydockOptions { Urls = ["http://127.0.0.1:0"], Operator = false, LogLevel = Microsoft.Extensions.Logging.LogLevel.None },
            services =>
            {
                foreach (var hosted in services.Where(static service =>
                    service.ServiceType == typeof(IHostedService) && service.ImplementationType?.Name != "GenericWebHostService").ToList())
                {
                    services.Remove(hosted);
                }

                services.Replace(ServiceDescriptor.Singleton<DurableTaskClient>(client));
                services.Replace(ServiceDescriptor.Singleton<ICluster>(new StubCluster(nodes)));
                services.Replace(ServiceDescriptor.Singleton<INeighbours>(new StubNeighbours()));
                services.Replace(ServiceDescriptor.Singleton(new HubIdentity(static () => Guid.Empty)));
                more?.Invoke(services);
            });
        await app.StartAsync();
        return new RestHost(app, client);
    }

    /// <summary>Sends what is not taken, and returns why.</summary>
    public async Task<Problem> RefusedAsync(string path, string json, HttpStatusCode expected)
    {
        var token = TestContext.Current.CancellationToken;
        using var answer = await Http.PostAsync(path, new StringContent(json, Encoding.UTF8, "application/json"), token);
        answer.StatusCode.ShouldBe(expected, await answer.Content.ReadAsStringAsync(token));
        return (await answer.Content.ReadFromJsonAsync<Problem>(ApiJson.Options, token))!;
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
    }
}
