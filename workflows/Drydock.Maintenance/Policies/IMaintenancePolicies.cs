namespace Drydock.Maintenance;

/// <summary>The policies that admins own. Read when a maintenance is planned, which then keeps what it read.</summary>
public interface IMaintenancePolicies
{
    /// <summary>The policy, or null if there is none of that name.</summary>
    Task<MaintenancePolicy?> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>The names there are, in order, for the answer to a wrong one.</summary>
    Task<IReadOnlyList<string>> ListNamesAsync(CancellationToken cancellationToken);
}

/// <summary>Policies that are known from the start.</summary>
public sealed class FixedPolicies(IEnumerable<MaintenancePolicy> policies) : IMaintenancePolicies
{
    private readonly Dictionary<string, MaintenancePolicy> _policies = policies.ToDictionary(policy => policy.Name, StringComparer.Ordinal);

    /// <summary>No policy at all.</summary>
    public static FixedPolicies None { get; } = new([]);

    /// <inheritdoc/>
    public Task<MaintenancePolicy?> FindAsync(string name, CancellationToken cancellationToken) =>
        Task.FromResult(_policies.GetValueOrDefault(name));

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListNamesAsync(CancellationToken cancellationToken) =>
        Task.FromResult<IReadOnlyList<string>>([.. _policies.Keys.Order(StringComparer.Ordinal)]);
}

/// <summary>Secrets by the name of the file they are mounted in: never in a request, a history or a log.</summary>
public interface ISecretFiles
{
    /// <summary>The text of the file without the line end at its end, or null if there is no such file.</summary>
    Task<string?> ReadAsync(string name, CancellationToken cancellationToken);
}

/// <summary>HTTP calls to the addresses that policies name. Never follows a redirection: it would leave the allow-list.</summary>
public interface IHttpTargets
{
    /// <summary>Why an address must not be called, or null if it may: HTTPS, and in the allow-list.</summary>
    string? Problem(string url);

    /// <summary>Sends it once.</summary>
    /// <returns>What came back; a target that cannot be reached is an answer without a code.</returns>
    Task<HttpTargetAnswer> SendAsync(HttpTargetCall call, CancellationToken cancellationToken);
}

/// <summary>A call to a target.</summary>
/// <param name="Method">GET or POST.</param>
/// <param name="Url">The address.</param>
public sealed record HttpTargetCall(string Method, string Url)
{
    /// <summary>The body as JSON, or null.</summary>
    public string? Body { get; init; }

    /// <summary>Headers.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>What a target answered.</summary>
/// <param name="Code">The HTTP code, or null: nobody answered.</param>
/// <param name="Body">The first 64 KiB of the answer, or why nobody answered.</param>
public sealed record HttpTargetAnswer(int? Code, string Body)
{
    /// <summary>200 to 299.</summary>
    public bool IsSuccess => Code is >= 200 and < 300;

    /// <summary>Another try may help: nobody answered, too many calls, or a fault of the other side.</summary>
    public bool IsTransient => Code is null or 408 or 429 or >= 500;

    /// <summary>For messages: <c>503 Service is starting</c>, at most 200 characters.</summary>
    public string Short => $"{(Code is { } code ? $"{code} " : "")}{(Body.Length > 200 ? Body[..200] + "…" : Body)}".Trim();
}
