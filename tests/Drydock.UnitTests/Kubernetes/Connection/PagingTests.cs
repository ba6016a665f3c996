using System.Runtime.CompilerServices;
using System.Text.Json;
using Drydock.Kubernetes;
using Drydock.Kubernetes.Api;
using Drydock.Kubernetes.Reading;
using Shouldly;
using Xunit;

namespace Drydock.UnitTests.Kubernetes.Connection;

/// <summary>A list of a large cluster has gigabytes of JSON: no more of it is held than the page that is being read.</summary>
public sealed class PagingTests
{
    private const int Pages = 12;

    [Fact]
    public async Task Of_each_page_only_what_was_read_from_it_is_kept()
    {
        var server = new PlayedServer();
        for (var page = 1; page <= Pages; page++)
        {
            var next = page < Pages ? $$""", "continue":"{{page + 1}}" """ : "";
            server.On(
                $"GET /api/v1/pods?limit=500{(page > 1 ? $"&continue={page}" : "")}", 200,
                $$$"""{"metadata":{"resourceVersion":"7"{{{next}}}},"items":[{"metadata":{"name":"pod-{{{page}}}"}}]}""");
        }

        var documents = new List<WeakReference>();
        var most = 0;
        using var api = ApiConnection.Open(ClusterConnection.InMemory(server, new Uri("http://played")), TimeProvider.System);

        var list = await api.ListAsync(Resource.Pods, null, selector: null, Read, TestContext.Current.CancellationToken);

        list!.Items.ShouldBe(Enumerable.Range(1, Pages).Select(page => $"pod-{page}"));
        list.ResourceVersion.ShouldBe("7");
        documents.Count.ShouldBe(Pages);
        most.ShouldBeLessThanOrEqualTo(2, "pages that are in memory");

        string Read(JsonElement item)
        {
            documents.Add(new WeakReference(DocumentOf(ref item)));
            GC.Collect();
            most = Math.Max(most, documents.Count(document => document.IsAlive));
            return item.Name();
        }
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "_parent")]
    private static extern ref JsonDocument DocumentOf(ref JsonElement element);
}
