using System.Text;
using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Drydock.Server.Rest;

/// <summary>What the OpenAPI document says besides what the endpoints say of themselves.</summary>
internal static class ApiDocument
{
    private const string Scheme = "bearer";

    /// <summary>The document of version 1.</summary>
    public static IServiceCollection AddApiDocument(this IServiceCollection services, AccessMode mode) => services.AddOpenApi("v1", openApi =>
    {
        openApi.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        openApi.AddDocumentTransformer((document, _, _) =>
        {
            Describe(document, mode);
            return Task.CompletedTask;
        });
        openApi.AddOperationTransformer((operation, context, _) => DescribeAsync(operation, context, mode));
    });

    private static void Describe(OpenApiDocument document, AccessMode mode)
    {
        document.Info.Title = "Drydock";
        document.Info.Version = "v1";
        document.Info.Description = Introduction();
        if (mode != AccessMode.None)
        {
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal);
            document.Components.SecuritySchemes[Scheme] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = Scheme,
                Description = mode == AccessMode.Kubernetes
                    ? "A bearer token of the cluster, such as that of `kubectl create token` or `oc whoami -t`."
                    : "A token of the OpenID Connect provider.",
            };
        }
    }

    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, AccessMode mode)
    {
        Exemplify(operation, context);
        var access = context.Description.ActionDescriptor.EndpointMetadata.OfType<EndpointAccess>().LastOrDefault();
        var schema = await context.GetOrCreateSchemaAsync(typeof(Problem), null, CancellationToken.None);
        if (access is not null && context.Description.RelativePath?.StartsWith("api/", StringComparison.Ordinal) == true)
        {
            Add(429, "The caller sends more than its share.");
            foreach (var (status, text) in OfRequest(operation, context))
            {
                Add(status, text);
            }
        }

        if (access is null or { IsAnonymous: true })
        {
            return;
        }

        if (access.Permission is { } permission)
        {
            operation.Description = $"{operation.Description}{(string.IsNullOrEmpty(operation.Description) ? "" : "\n\n")}Needs `{permission.Verb}` on `{permission.Resource}`.";
        }

        if (mode != AccessMode.None)
        {
            Add(401, "No token, or one that is not accepted.");
            Add(403, "The caller lacks the permission; `verb` and `resource` name it.");
            operation.Security ??= [];
            operation.Security.Add(new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] });
        }

        void Add(int status, string text)
        {
            operation.Responses ??= [];
            operation.Responses.TryAdd($"{status}", new OpenApiResponse
            {
                Description = text,
                Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { ["application/problem+json"] = new() { Schema = schema, Example = ApiExamples.OfProblem(status) } },
            });
        }
    }

    /// <summary>What is refused before the endpoint is asked: a body by its form, a change by its version.</summary>
    private static IEnumerable<(int Status, string Text)> OfRequest(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<TakesBody>().LastOrDefault() is { } takes)
        {
            yield return (413, "The body is larger than 1 MiB.");
            if (takes.OnlyJson)
            {
                yield return (415, "The body is not application/json.");
            }
        }

        if (context.Description.HttpMethod != "GET" && metadata.OfType<Versioned>().LastOrDefault() is { } versioned
            && versioned.Keys.All(key => context.Description.RelativePath?.Contains($"{{{key}}}", StringComparison.Ordinal) == true))
        {
            operation.Parameters ??= [];
            operation.Parameters.Add(new OpenApiParameter
            {
                Name = "If-Match",
                In = ParameterLocation.Header,
                Description = "The ETag of what the caller saw: if it is another by now, nothing is changed.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
            yield return (412, "It is not what the caller saw (If-Match); nothing was changed.");
        }
    }

    private static void Exemplify(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<IAcceptsMetadata>().LastOrDefault()?.RequestType is { } asked)
        {
            foreach (var media in operation.RequestBody?.Content?.Values ?? [])
            {
                media.Example = ApiExamples.Of(asked, operation.OperationId);
            }
        }

        foreach (var answer in context.Description.SupportedResponseTypes.Where(static answer => answer.Type is not null))
        {
            foreach (var media in operation.Responses?.GetValueOrDefault($"{answer.StatusCode}")?.Content?.Values ?? [])
            {
                media.Example = answer.Type == typeof(Problem) ? ApiExamples.OfProblem(answer.StatusCode) : ApiExamples.Of(answer.Type!);
            }
        }
    }

    private static string Introduction()
    {
        var text = new StringBuilder("""
            Durable maintenance of Kubernetes nodes.

            - Errors are problems (RFC 9457, `application/problem+json`) that name every wrong field, its value and what is allowed.
            - `Idempotency-Key` makes a repeated POST harmless: the same key with the same request returns what the first one started.
            - `ETag` comes with what can change; send it as `If-Match` and a change is made only to what you saw.
            - Lists are pages: pass `next` as `after`.
            - Durations are `90s`, `10m`, `1h30m` or ISO 8601; times are UTC.

            ## Who may do what

            Every endpoint but the probes asks for a bearer token, and for one of these permissions of the cluster (RBAC). The roles are the
            ClusterRoles `drydock-viewer`, `drydock-operator` and `drydock-admin`; each has what those before it have.

            | permission | least role |
            |---|---|

            """);
        foreach (var permission in Permissions.All)
        {
            text.Append("| `").Append(permission).Append("` | ").Append(permission.Role.ToString().ToLowerInvariant()).Append(" |\n");
        }

        return text.Append("""

            A request whose drain ends by force needs `create nodemaintenances/force` besides; one that reboots the machine or runs something
            on it needs `create nodemaintenances/privileged`.
            """).ToString();
    }
}
