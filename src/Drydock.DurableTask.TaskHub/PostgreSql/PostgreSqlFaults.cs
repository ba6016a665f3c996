using System.Net.Sockets;
using Grpc.Core;
using Npgsql;

namespace Drydock.DurableTask.TaskHub.PostgreSql;

/// <summary>What the errors of PostgreSQL mean for a hub.</summary>
internal static class PostgreSqlFaults
{
    /// <summary>The server has gone, or this connection to it; what was under way was not finished by it.</summary>
    public static bool IsConnectionLost(Exception e) => e switch
    {
        // admin_shutdown, crash_shutdown, cannot_connect_now, database_dropped, idle_session and idle_in_transaction timeouts, class 08.
        PostgresException { SqlState: "57P01" or "57P02" or "57P03" or "57P04" or "57P05" or "25P03" } => true,
        PostgresException { SqlState: var state } => state.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException or IOException or SocketException or TimeoutException or ObjectDisposedException => true,
        _ => false,
    };

    /// <summary>Another process was faster; tried again, the same request finds what that one did.</summary>
    public static bool IsCollision(Exception e) => e is PostgresException
    {
        // serialization_failure, deadlock_detected, lock_not_available, unique_violation.
        SqlState: "40001" or "40P01" or "55P03" or "23505",
    };

    /// <summary>The database says no to everybody, not to this request.</summary>
    public static bool IsOfTheDatabase(Exception e) => e is PostgresException
    {
        // disk_full, out_of_memory, too_many_connections, read_only_sql_transaction, insufficient_privilege, undefined_table.
        SqlState: "53100" or "53200" or "53300" or "25006" or "42501" or "42P01",
    };

    /// <summary>A refusal for whoever asked.</summary>
    public static TaskHubException Explain(string description, Exception e) => e switch
    {
        TaskHubException refusal => refusal,
        PostgresException { SqlState: "53100" } => new TaskHubException(
            StatusCode.ResourceExhausted,
            $"The disk of the database of the task hub '{description}' is full; nothing of this request was stored. Free some space: it goes on by itself.",
            e),

        // untranslatable_character, character_not_in_repertoire, invalid text: what came cannot be stored as text.
        PostgresException { SqlState: "22P05" or "22021" or "22P02" } => new TaskHubException(
            StatusCode.InvalidArgument, $"The request holds text that PostgreSQL cannot store: {Message(e)}. Nothing of it was stored.", e),
        PostgresException => new TaskHubException(
            StatusCode.Unavailable,
            $"The task hub '{description}' cannot be written: {Message(e)}. Nothing of this request was stored.", e),
        _ when IsConnectionLost(e) => new TaskHubException(
            StatusCode.Unavailable,
            $"The database of the task hub '{description}' cannot be reached: {Message(e)}. Nothing of this request was stored; it goes on by itself when the database is back.",
            e),
        _ => new TaskHubException(StatusCode.Internal, $"The request failed inside the task hub: {e.Message}", e),
    };

    /// <summary>Says what an error means for somebody who wants to open the hub.</summary>
    public static TaskHubOpenException ExplainOpening(string description, Exception e) => e switch
    {
        PostgresException { SqlState: "28P01" or "28000" } => new TaskHubOpenException(
            TaskHubOpenProblem.AccessDenied, description,
            $"The task hub '{description}' cannot be opened: {Message(e)}. Check the Username, and the password in the file that Passfile names.", e),
        PostgresException { SqlState: "3D000" } => new TaskHubOpenException(
            TaskHubOpenProblem.Unreachable, description,
            $"The task hub '{description}' cannot be opened: {Message(e)}. Create it: createdb NAME.", e),
        PostgresException { SqlState: "42501" } => new TaskHubOpenException(
            TaskHubOpenProblem.AccessDenied, description,
            $"The task hub '{description}' cannot be made: {Message(e)}. Let the user create a schema in the database, or give it one.", e),
        PostgresException { SqlState: "53300" } => new TaskHubOpenException(
            TaskHubOpenProblem.Unreachable, description,
            $"The task hub '{description}' cannot be opened: {Message(e)}. Each process of the hub needs up to 12 connections.", e),
        _ when e.Message.Contains("No password has been provided", StringComparison.Ordinal) => new TaskHubOpenException(
            TaskHubOpenProblem.AccessDenied, description,
            $"The task hub '{description}' cannot be opened: the server asks for a password. Put it into a file and name that with Passfile.", e),
        _ => new TaskHubOpenException(
            TaskHubOpenProblem.Unreachable, description,
            $"The database of the task hub '{description}' cannot be reached: {Message(e)}. Check the Host and the Port, and that the server runs.", e),
    };

    private static string Message(Exception e) =>
        ((e as PostgresException)?.MessageText ?? (e is NpgsqlException { InnerException: { } inner } ? inner.Message : e.Message)).TrimEnd('.');
}
