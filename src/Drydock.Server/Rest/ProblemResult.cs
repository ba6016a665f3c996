using System.Reflection;
using Drydock.Api;
using Microsoft.AspNetCore.Http.Metadata;

namespace Drydock.Server.Rest;

/// <summary>Answers with a problem (RFC 9457).</summary>
internal sealed class ProblemResult(Problem problem) : IResult, IEndpointMetadataProvider
{
    private const string ContentType = "application/problem+json";

    public static void PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        foreach (var status in (ReadOnlySpan<int>)[400, 404, 409, 503])
        {
            builder.Metadata.Add(new ProducesResponseTypeMetadata(status, typeof(Problem), [ContentType]));
        }
    }

    public Task ExecuteAsync(HttpContext httpContext)
    {
        var response = httpContext.Response;
        response.StatusCode = problem.Status;
        response.Headers.CacheControl = "no-store";
        return response.WriteAsJsonAsync(
            problem with { Instance = httpContext.Request.Path.Value }, ApiJson.Options, ContentType, httpContext.RequestAborted);
    }
}
