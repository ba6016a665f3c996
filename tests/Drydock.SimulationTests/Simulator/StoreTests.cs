using System.Globalization;
using System.Text.Json.Nodes;
using Drydock.Simulator.Store;
using Shouldly;
using Xunit;

namespace Drydock.SimulationTests.Simulator;

/// <summary>How the store keeps objects: as bytes when nobody looks, in lists that stay what they were.</summary>
public sealed class StoreTests
{
    private static readonly ResourceType Kind = ResourceTypes.ConfigMaps;
    private readonly ObjectStore _store = new(TimeProvider.System);

    [Fact]
    public void An_object_nobody_looked_at_for_long_comes_back_as_it_was()
    {
        const string Text = """
            {"metadata":{"name":"first","namespace":"a","labels":{"ä/\"quoted\"":"\\ \n <&> \u20ac \ud83d\ude00"}},
             "data":{"small":1,"large":9007199254740993,"real":1.50,"power":1e3,"none":null,"yes":true,"no":false,"empty":{},"list":[[],[1,"1",null]]}}
            """;
        var created = _store.Create(Kind, JsonNode.Parse(Text)!.AsObject()).Copy();
        var bytes = _store.Find(Kind, "a", "first")!.Bytes;

        foreach (var number in Enumerable.Range(0, 20_000))
        {
            Create("b", $"other-{number}");
        }

        var found = _store.Get(Kind, "a", "first")!;
        JsonNode.DeepEquals(found, created).ShouldBeTrue();
        found["data"]!["real"]!.ToJsonString().ShouldBe("1.50");
        _store.Find(Kind, "a", "first")!.Bytes.Span.SequenceEqual(bytes.Span).ShouldBeTrue();
        _store.Update(Kind, "a", "first", _ => true).ShouldNotBeNull();
        _store.Get(Kind, "a", "first")!.VersionOf().ShouldBe(created.VersionOf(), "writing what is there writes nothing");
    }

    [Fact]
    public void A_list_taken_before_stays_what_it_was_and_can_be_had_again_by_its_version()
    {
        var random = new Random(7);
        foreach (var number in Enumerable.Range(0, 2000))
        {
            Create(Space(random), $"item-{number}");
        }

        var (before, version) = _store.Snapshot(Kind, null);
        var names = Names(before);
        names.ShouldBe(names.Order(StringComparer.Ordinal));
        ChangeMany(random);

        Names(before).ShouldBe(names);
        Names(_store.ListAt(Kind, null, version)).ShouldBe(names);
        Names(_store.ListAt(Kind, "s1", version)).ShouldBe(names.Where(name => name.StartsWith("s1/", StringComparison.Ordinal)));
        Names(_store.Snapshot(Kind, null).Items).ShouldNotBe(names);
    }

    [Fact]
    public void Pages_of_a_list_are_the_list()
    {
        var random = new Random(8);
        foreach (var number in Enumerable.Range(0, 1500))
        {
            Create(Space(random), $"item-{number}");
        }

        ChangeMany(random);
        var all = _store.Snapshot(Kind, null).Items;
        var paged = new List<string>();
        var rest = all;
        while (rest.Count > 0)
        {
            var page = rest.Take(70).ToList();
            paged.AddRange(Names(page));
            rest = rest.After(page[^1].Namespace!, page[^1].Name);
        }

        paged.ShouldBe(Names(all));
        paged.ShouldBe(paged.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Pods_are_found_by_node_owner_and_label_as_these_change()
    {
        var pod = new JsonObject
        {
            ["metadata"] = new JsonObject
            {
                ["name"] = "p", ["namespace"] = "a", ["labels"] = new JsonObject { ["app"] = "web" },
                ["ownerReferences"] = new JsonArray(new JsonObject { ["uid"] = "u1" }),
            },
            ["spec"] = new JsonObject { ["containers"] = new JsonArray(new JsonObject { ["name"] = "c", ["image"] = "i" }) },
        };
        _store.Create(ResourceTypes.Pods, pod);
        _store.PodsOnNode("n1").ShouldBeEmpty();
        _store.OwnedBy(ResourceTypes.Pods, "u1").Count.ShouldBe(1);
        _store.PodsLabelled("a", "app", "web").Count.ShouldBe(1);
        _store.PodsLabelled("b", "app", "web").ShouldBeEmpty();

        _store.Update(ResourceTypes.Pods, "a", "p", current =>
        {
            current["spec"]!["nodeName"] = "n1";
            current["metadata"]!["labels"] = new JsonObject { ["app"] = "api" };

            return true;
        });
        _store.PodsOnNode("n1").Count.ShouldBe(1);
        _store.PodsLabelled(null, "app", "web").ShouldBeEmpty();
        _store.PodsLabelled(null, "app", "api").Count.ShouldBe(1);

        _store.Delete(ResourceTypes.Pods, "a", "p", new Deletion(GracePeriodSeconds: 0));
        _store.PodsOnNode("n1").ShouldBeEmpty();
        _store.OwnedBy(ResourceTypes.Pods, "u1").ShouldBeEmpty();
        _store.PodsLabelled(null, "app", "api").ShouldBeEmpty();
    }

    private void ChangeMany(Random random)
    {
        foreach (var item in _store.List(Kind).ToList())
        {
            switch (random.Next(4))
            {
                case 0:
                    _store.Delete(Kind, item.NamespaceOf(), item.NameOf(), new Deletion());
                    break;
                case 1:
                    _store.Update(Kind, item.NamespaceOf(), item.NameOf(), current =>
                    {
                        current["data"] = new JsonObject { ["changed"] = "yes" };

                        return true;
                    });
                    break;
                case 2:
                    Create(Space(random), "new-" + item.NameOf());
                    break;
            }
        }
    }

    private void Create(string space, string name) => _store.Create(Kind, new JsonObject
    {
        ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = space },
        ["data"] = new JsonObject { ["text"] = name },
    });

    private static string Space(Random random) => "s" + random.Next(3).ToString(CultureInfo.InvariantCulture);

    private static List<string> Names(IEnumerable<StoredObject> items) => [.. items.Select(item => $"{item.Namespace}/{item.Name}")];
}
