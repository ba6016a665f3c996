using System.Reflection;
using System.Text.Json;
using Drydock.Api;
using Drydock.Server.Callers;
using Microsoft.AspNetCore.Http.Metadata;

namespace Drydock.Server.Rest;

/// <summary>The JSON body of a request, or everything that is wrong with its form. Nothing at all counts as <c>{}</c>.</summary>
internal sealed class Body<T>(T? value, Problem? problem) : IBody, IEndpointParameterMetadataProvider
    where T : class
{
    private static readonly JsonDocumentOptions OnlyJson = new() { AllowDuplicateProperties = false };

    /// <summary>What is wrong, or null.</summary>
    public Problem? Problem { get; } = problem;

    object? IBody.Content => value;

    /// <summary>What was sent.</summary>
    public T Value => value ?? throw new InvalidOperationException("The body has a problem.");

    public static void PopulateMetadata(ParameterInfo parameter, EndpointBuilder builder)
    {
        builder.Metadata.Add(new AcceptsMetadata(["application/json"], typeof(T), isOptional: true));
        builder.Metadata.Add(new TakesBody(OnlyJson: true));
    }

    /// <summary>Called by the framework to bind the parameter.</summary>
    public static async ValueTask<Body<T>> BindAsync(HttpContext context, ParameterInfo parameter)
    {
        _ = parameter;
        var request = context.Request;
        if (request.ContentLength is > 0 && !request.HasJsonContentType())
        {
            return Wrong(new Problem(ProblemTypes.InvalidRequest, "Unsupported media type", 415, "The body must be application/json.")
            {
                Errors = [new FieldError("Content-Type", request.ContentType, "application/json")],
            });
        }

        using var buffer = new MemoryStream();
        await request.Body.CopyToAsync(buffer, context.RequestAborted);
        var body = Read(buffer.Length == 0 ? "{}"u8.ToArray() : buffer.ToArray());
        Audit.SetReason(context, body.Problem is null ? typeof(T).GetProperty(nameof(CancelRequest.Reason))?.GetValue(body.Value) as string : null);
        return body;
    }

    /// <summary>Reads the bytes of a body.</summary>
    internal static Body<T> Read(byte[] json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, OnlyJson);
            var errors = JsonShape.Check(document.RootElement, typeof(T));
            return errors.Count > 0 ? Wrong(Problems.Invalid(errors)) : new Body<T>(document.RootElement.Deserialize<T>(ApiJson.Strict), null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: text that is JSON by its grammar but not Unicode.
            return Wrong(Problems.Invalid(new FieldError("body", null, "one JSON object; " + error.Message)));
        }
    }

    private static Body<T> Wrong(Problem problem) => new(null, problem);
}

/// <summary>Says of an endpoint that it reads the body of a request.</summary>
/// <param name="OnlyJson">It answers 415 to a body of another type.</param>
internal sealed record TakesBody(bool OnlyJson);

/// <summary>What filters see of a body.</summary>
internal interface IBody
{
    /// <summary>What was sent; null if it has a problem.</summary>
    object? Content { get; }
}
