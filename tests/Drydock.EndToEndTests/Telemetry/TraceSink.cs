using System.Buffers.Binary;
using System.Collections.Concurrent;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Drydock.EndToEndTests.Telemetry;

/// <summary>A span as a collector sees it.</summary>
/// <param name="Service">The resource it came from, <c>service.name</c>.</param>
/// <param name="Trace">The trace, in hex.</param>
/// <param name="Id">The span, in hex.</param>
/// <param name="Parent">The span it belongs to, in hex; empty for a root.</param>
/// <param name="Name">What it is of.</param>
/// <param name="Attributes">Its attributes that are texts.</param>
internal sealed record SinkSpan(string Service, string Trace, string Id, string Parent, string Name, IReadOnlyDictionary<string, string> Attributes);

/// <summary>A collector for traces on a free port of this machine: OTLP over gRPC, by opentelemetry-proto v1 (TraceService/Export).</summary>
internal sealed class TraceSink : IAsyncDisposable
{
    private readonly ConcurrentQueue<SinkSpan> _spans = [];
    private readonly WebApplication _app;

    private TraceSink(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    /// <summary>All that has arrived.</summary>
    public IReadOnlyList<SinkSpan> Spans => [.. _spans];

    public static async Task<TraceSink> OpenAsync(CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0").ConfigureKestrel(static kestrel => kestrel.ConfigureEndpointDefaults(static at => at.Protocols = HttpProtocols.Http2));
        var app = builder.Build();
        var sink = new TraceSink(app);
        app.MapPost("/opentelemetry.proto.collector.trace.v1.TraceService/Export", sink.TakeAsync);
        await app.StartAsync(cancellationToken);
        return sink;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task TakeAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body, context.RequestAborted);
        var frame = body.ToArray();

        // A gRPC message: one byte that says whether it is compressed, four of its length.
        var length = BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(1));
        foreach (var resource in Fields(ByteString.CopyFrom(frame, 5, length)).Where(static field => field.Number == 1))
        {
            ReadResource(resource.Value);
        }

        context.Response.ContentType = "application/grpc";
        await context.Response.Body.WriteAsync(new byte[5], context.RequestAborted);
        context.Response.AppendTrailer("grpc-status", "0");
    }

    // ResourceSpans: 1 resource, 2 scope_spans. ScopeSpans: 2 spans.
    private void ReadResource(ByteString message)
    {
        var parts = Fields(message);
        var service = Attributes(Fields(parts.First(static field => field.Number == 1).Value), number: 1).GetValueOrDefault("service.name", "");
        foreach (var scope in parts.Where(static field => field.Number == 2))
        {
            foreach (var span in Fields(scope.Value).Where(static field => field.Number == 2))
            {
                _spans.Enqueue(ReadSpan(service, Fields(span.Value)));
            }
        }
    }

    // Span: 1 trace_id, 2 span_id, 4 parent_span_id, 5 name, 9 attributes.
    private static SinkSpan ReadSpan(string service, IReadOnlyList<(int Number, ByteString Value)> fields)
    {
        ByteString Of(int number) => fields.FirstOrDefault(field => field.Number == number).Value ?? ByteString.Empty;
        return new SinkSpan(
            service, Convert.ToHexStringLower(Of(1).Span), Convert.ToHexStringLower(Of(2).Span), Convert.ToHexStringLower(Of(4).Span), Of(5).ToStringUtf8(),
            Attributes(fields, number: 9));
    }

    // KeyValue: 1 key, 2 value. AnyValue: 1 string_value.
    private static Dictionary<string, string> Attributes(IReadOnlyList<(int Number, ByteString Value)> fields, int number)
    {
        var attributes = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in fields.Where(field => field.Number == number).Select(static field => Fields(field.Value)))
        {
            var value = pair.Where(static field => field.Number == 2).SelectMany(static field => Fields(field.Value)).Where(static field => field.Number == 1);
            attributes[pair.First(static field => field.Number == 1).Value.ToStringUtf8()] = string.Concat(value.Select(static text => text.Value.ToStringUtf8()));
        }

        return attributes;
    }

    /// <summary>The fields of a message that have a length, in order; numbers are passed over.</summary>
    private static List<(int Number, ByteString Value)> Fields(ByteString message)
    {
        var fields = new List<(int, ByteString)>();
        var input = message.CreateCodedInput();
        for (var tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            if (WireFormat.GetTagWireType(tag) == WireFormat.WireType.LengthDelimited)
            {
                fields.Add((WireFormat.GetTagFieldNumber(tag), input.ReadBytes()));
            }
            else
            {
                input.SkipLastField();
            }
        }

        return fields;
    }
}
