// The official client throws one exception that is not its own: it comes from DurableTask.Core, on which it stands, so the recorded
// list of the SDK's public API, from which Stub.cs is generated, does not have it.
namespace DurableTask.Core.Exceptions
{
    public class OrchestrationAlreadyExistsException : global::System.Exception
    {
        public OrchestrationAlreadyExistsException(string message) => throw null!;
    }
}
