using Drydock.Api;
using Drydock.DurableTask.TaskHub;
using Drydock.Kubernetes;
using Drydock.Server;

namespace Drydock.Cli.CommandLine;

/// <summary>Every way this program ends badly, as one sentence, a next step and an exit code. No stack trace reaches a person.</summary>
internal static class Failures
{
    /// <summary>Says an exception in the words of the person who typed the command.</summary>
    public static CommandFailedException Explain(Exception exception) => exception switch
    {
        CommandFailedException known => known,
        ApiProblemException problem => FromProblem(problem),
        ClusterConnectionException connection => new(ExitCodes.BadInput, connection.Message, null, connection),
        ClusterException cluster => FromCluster(cluster),
        TaskHubOpenException hub => new(ExitCodes.BadInput, hub.Message, null, hub),
        TaskHubBindingException binding => new(ExitCodes.BadInput, binding.Message, null, binding),
        DrydockOptionsException options => new(ExitCodes.BadInput, options.Message, null, options),
        MissingAccessException access => new(ExitCodes.Refused, access.Message, "Ask for a role that allows it.", access),
        ClusterUnusableException unusable => new(ExitCodes.Failed, unusable.Message, "Check the network and the address in the kubeconfig.", unusable),
        HttpRequestException { InnerException: System.Security.Authentication.AuthenticationException tls } => new(
            ExitCodes.Failed, $"The certificate of the server is not trusted: {FirstLine(tls.Message)}", "Name the authority it comes from with --certificate-authority.", tls),
        HttpRequestException http => new(
            ExitCodes.Failed, $"The server did not answer as a Drydock server does: {http.Message}.", "Check the address given by --server or DRYDOCK_SERVER.", http),
        NotSupportedException missing => new(ExitCodes.Failed, $"This version cannot do that: {missing.Message}", null, missing),
        AggregateException { InnerExceptions: [var only] } => Explain(only),
        IOException io when StartFailure.Describe(io) is { } inUse => new(ExitCodes.BadInput, inUse, "Name another address.", io),
        _ => new(
            ExitCodes.Failed,
            $"Something went wrong that this program does not know: {FirstLine(exception.Message)}",
            "Run the command again with DRYDOCK_DEBUG=1 to see where, and report it.",
            exception),
    };

    /// <summary>No Drydock server at that address.</summary>
    public static CommandFailedException NoServer(Uri server, Exception innerException) => new(
        ExitCodes.Failed,
        $"No Drydock server answers at {server.GetLeftPart(UriPartial.Authority)}.",
        "Start one with 'drydock serve', or name another with --server or DRYDOCK_SERVER.",
        innerException);

    private static CommandFailedException FromProblem(ApiProblemException exception)
    {
        var problem = exception.Problem;
        return problem.Type switch
        {
            ProblemTypes.AlreadyUnderMaintenance => new(
                ExitCodes.Refused,
                problem.Detail,
                problem.SubjectId is { } id ? $"Look at it with 'drydock watch {id}', or stop it with 'drydock cancel {id}'." : null,
                exception),
            ProblemTypes.WrongState or ProblemTypes.KeyReused => new(ExitCodes.Refused, exception.Message, null, exception),
            ProblemTypes.Unauthenticated => new(
                ExitCodes.Refused, problem.Detail, "Give a token with --token or DRYDOCK_TOKEN, such as that of 'kubectl create token' or 'oc whoami -t'.", exception),
            ProblemTypes.Forbidden => new(ExitCodes.Refused, problem.Detail, null, exception),
            ProblemTypes.NodeNotFound => new(
                ExitCodes.BadInput, problem.Detail, problem.Errors is [var field, ..] ? $"There are: {field.Allowed}." : null, exception),
            ProblemTypes.InvalidRequest or ProblemTypes.NotFound => new(ExitCodes.BadInput, exception.Message, null, exception),
            _ => new(ExitCodes.Failed, exception.Message, null, exception),
        };
    }

    private static CommandFailedException FromCluster(ClusterException exception) => exception.Kind switch
    {
        ClusterErrorKind.Forbidden => new(
            ExitCodes.Refused,
            $"You may not {exception.Verb} {exception.Resource}: {FirstLine(exception.Message)}",
            $"Ask for a role that allows '{exception.Verb}' on '{exception.Resource}'.",
            exception),
        ClusterErrorKind.Unauthorized => new(
            ExitCodes.BadInput, $"The API server does not accept these credentials: {FirstLine(exception.Message)}", "Log in again, or name another kubeconfig with --kubeconfig.", exception),
        ClusterErrorKind.Unreachable => new(
            ExitCodes.Failed, $"The API server cannot be reached: {FirstLine(exception.Message)}", "Check the network and the address in the kubeconfig.", exception),
        _ => new(ExitCodes.Failed, $"The API server refused to {exception.Verb} {exception.Resource}: {FirstLine(exception.Message)}", null, exception),
    };

    private static string FirstLine(string text) => text.Split('\n', 2)[0].TrimEnd();
}
