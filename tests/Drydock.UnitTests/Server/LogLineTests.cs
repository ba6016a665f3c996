using System.Text.Json.Nodes;
using Drydock.Server.Telemetry;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Server;

/// <summary>Both forms of a line of the log tell the instance and its node, however the line names them.</summary>
public sealed class LogLineTests
{
    private readonly InstanceNodes _nodes = new();
    private readonly FakeTimeProvider _clock = new(new DateTimeOffset(2026, 3, 1, 2, 0, 0, TimeSpan.Zero));

    public LogLineTests() => _nodes.Set("m-1", "node-7");

    [Theory]
    [InlineData("m-1", null, "m-1", "node-7")]
    [InlineData("m-1:pods", null, "m-1:pods", "node-7")]
    [InlineData("m-2", null, "m-2", "-")]
    [InlineData("m-1", "node-9", "m-1", "node-9")]
    [InlineData(null, "node-9", "-", "node-9")]
    [InlineData(null, null, "-", "-")]
    public void Instance_and_node_are_on_every_line(string? instance, string? node, string instanceText, string nodeText)
    {
        foreach (var name in (string[])["Instance", "InstanceId"])
        {
            var fields = new List<KeyValuePair<string, object?>> { new("Other", 3) };
            if (instance is not null)
            {
                fields.Add(new(name, instance));
            }

            if (node is not null)
            {
                fields.Add(new("Node", node));
            }

            Text(fields, "It waits.").ShouldBe($"2026-03-01T02:00:00.000Z Warning     instance={instanceText} node={nodeText} Drydock.Test: It waits.\n");
            var json = Json(fields, "It waits.");
            ((string?)json["instance"], (string?)json["node"], (string?)json["other"], (string?)json["message"])
                .ShouldBe((instance, nodeText == "-" ? null : nodeText, "3", "It waits."));
        }
    }

    [Fact]
    public void A_scope_names_them_too()
    {
        var scopes = new LoggerExternalScopeProvider();
        using var scope = scopes.Push(new Dictionary<string, object?> { ["Instance"] = "m-1" });

        Text([], "It waits.", scopes).ShouldContain("instance=m-1 node=node-7");
        ((string?)Json([], "It waits.", scopes)["node"]).ShouldBe("node-7");
    }

    [Fact]
    public void What_comes_from_outside_cannot_look_like_a_line_of_its_own()
    {
        const string forged = "bad\r\n2026-03-01T02:00:00.000Z Information instance=m-9 node=node-9 Drydock: all is well";

        Text([], forged).Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).ShouldAllBe(static line => line.StartsWith("    "));
        ((string?)Json([], forged)["message"]).ShouldBe(forged);
    }

    private string Text(List<KeyValuePair<string, object?>> fields, string message, IExternalScopeProvider? scopes = null) =>
        Write(new TextLineFormatter(_nodes, _clock), fields, message, scopes);

    private JsonNode Json(List<KeyValuePair<string, object?>> fields, string message, IExternalScopeProvider? scopes = null) =>
        JsonNode.Parse(Write(new JsonLineFormatter(_nodes, _clock), fields, message, scopes))!;

    private static string Write(ConsoleFormatter formatter, List<KeyValuePair<string, object?>> fields, string message, IExternalScopeProvider? scopes)
    {
        using var text = new StringWriter { NewLine = "\n" };
        formatter.Write(new LogEntry<List<KeyValuePair<string, object?>>>(LogLevel.Warning, "Drydock.Test", 1, fields, null, (_, _) => message), scopes, text);
        return text.ToString();
    }
}
