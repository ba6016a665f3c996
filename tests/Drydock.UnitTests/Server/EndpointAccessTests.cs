using Drydock.Server;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Routing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>What each endpoint asks of its caller; no cluster and no hub is opened for it.</summary>
public sealed class EndpointAccessTests
{
    [Fact]
    public async Task Every_endpoint_says_what_it_needs_and_only_probes_the_way_to_the_documents_and_signed_call_backs_need_nothing()
    {
        await using var app = DrydockHost.Build(new DrydockOptions { Urls = ["http://127.0.0.1:0"] });
        var endpoints = ((IEndpointRouteBuilder)app).DataSources.SelectMany(static source => source.Endpoints).OfType<RouteEndpoint>().ToList();

        endpoints.Where(static endpoint => endpoint.Metadata.GetMetadata<EndpointAccess>() is null)
            .Select(static endpoint => endpoint.DisplayName).ShouldBeEmpty("add .Needs(Permissions.…) where it is mapped");
        endpoints.Where(static endpoint => endpoint.Metadata.GetMetadata<EndpointAccess>() is { IsAnonymous: true })
            .Select(static endpoint => endpoint.RoutePattern.RawText).ShouldBe(["/healthz", "/readyz", "/", "/api/v1/maintenances/{id}/callbacks/{action}"]);
        endpoints.Where(static endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api/", StringComparison.Ordinal))
            .ShouldAllBe(static endpoint => endpoint.Metadata.GetMetadata<EndpointAccess>()!.Permission != null || endpoint.RoutePattern.RawText!.Contains("/callbacks/"));
    }

    [Fact]
    public void Every_permission_is_in_the_table_once() =>
        Permissions.All.ShouldBeUnique();
}
