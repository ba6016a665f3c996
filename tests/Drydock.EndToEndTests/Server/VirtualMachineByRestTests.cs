using Drydock.Api;
using Shouldly;
using Xunit;

namespace Drydock.EndToEndTests.Server;

/// <summary>Calls of single virtual machines by REST, against the real server.</summary>
public sealed class VirtualMachineByRestTests : IAsyncLifetime
{
    private Harbour _harbour = null!;

    private CancellationToken Token { get; } = Harbour.Deadline();

    public async ValueTask InitializeAsync() => _harbour = await Harbour.OpenAsync(Token);

    public ValueTask DisposeAsync() => _harbour.DisposeAsync();

    [Fact]
    public async Task A_restart_with_a_key_is_one_restart_however_often_it_is_asked_for()
    {
        var vm = (await _harbour.Api.ListVirtualMachinesAsync(null, null, Token))[0];
        var call = new VirtualMachineCall();

        var first = await _harbour.Api.CallVirtualMachineAsync(vm.Namespace, vm.Name, "restart", call, "CHG-1", Token);
        var again = await _harbour.Api.CallVirtualMachineAsync(vm.Namespace, vm.Name, "restart", call, "CHG-1", Token);
        var other = await Should.ThrowAsync<ApiProblemException>(() => _harbour.Api.CallVirtualMachineAsync(vm.Namespace, vm.Name, "restart", call with { GracePeriod = "0s" }, "CHG-1", Token));

        (again.Id, again.Message).ShouldBe((first.Id, first.Message));
        other.Problem.Type.ShouldBe(ProblemTypes.KeyReused);
        _harbour.Cluster.Api.RequestLog.All.Count(static request => request is { Verb: "update", Subresource: "restart" }).ShouldBe(1);
    }

    [Fact]
    public async Task Who_from_where_and_why_is_in_the_input_of_the_call()
    {
        var vm = (await _harbour.Api.ListVirtualMachinesAsync(null, null, Token))[0];

        var call = await _harbour.Api.CallVirtualMachineAsync(vm.Namespace, vm.Name, "restart", new VirtualMachineCall { Reason = "it hangs" }, null, Token);

        var asked = (await _harbour.Service<DurableTask.Client.DurableTaskClient>().GetInstanceAsync(call.Id, getInputsAndOutputs: true, Token))!.SerializedInput!;
        asked.ShouldContain("it hangs");
        asked.ShouldContain("127.0.0.1");
    }
}
