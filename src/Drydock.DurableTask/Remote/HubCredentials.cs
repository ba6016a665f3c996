using Azure.Core;
using Azure.Identity;
using Grpc.Core;

namespace Drydock.DurableTask.Remote;

/// <summary>What a call proves its caller with: a fixed token, one from Azure, or nothing.</summary>
internal sealed record HubCredentials(string? FixedToken, CallCredentials? OfCall)
{
    // The resource that tokens for the Durable Task Scheduler are issued for.
    private const string Scope = "https://durabletask.io/.default";

    public static HubCredentials For(TaskHubAddress address)
    {
        if (AzureCredential(address) is not { } credential)
        {
            return new HubCredentials(address.Token, null);
        }

        if (address.Endpoint.Scheme != Uri.UriSchemeHttps)
        {
            throw new FormatException(
                $"Authentication={address.Authentication} needs an https endpoint: a token must not travel in clear text to {address.Endpoint}.");
        }

        return new HubCredentials(null, CallCredentials.FromInterceptor(async (context, metadata) =>
        {
            var token = await credential.GetTokenAsync(new TokenRequestContext([Scope]), context.CancellationToken);
            metadata.Add("authorization", "Bearer " + token.Token);
        }));
    }

    private static TokenCredential? AzureCredential(TaskHubAddress address) => address.Authentication switch
    {
        TaskHubAuthentication.None => null,
        TaskHubAuthentication.DefaultAzure => new DefaultAzureCredential(With(
            new DefaultAzureCredentialOptions { ManagedIdentityClientId = address.ClientId, TenantId = address.TenantId },
            static options => options.AdditionallyAllowedTenants,
            address)),
        TaskHubAuthentication.ManagedIdentity => new ManagedIdentityCredential(
            address.ClientId is { } id ? ManagedIdentityId.FromUserAssignedClientId(id) : ManagedIdentityId.SystemAssigned),
        TaskHubAuthentication.WorkloadIdentity => new WorkloadIdentityCredential(WorkloadOptions(address)),
        TaskHubAuthentication.Environment => new EnvironmentCredential(),
        TaskHubAuthentication.AzureCli => new AzureCliCredential(
            With(new AzureCliCredentialOptions { TenantId = address.TenantId }, static options => options.AdditionallyAllowedTenants, address)),
        TaskHubAuthentication.AzurePowerShell => new AzurePowerShellCredential(
            With(new AzurePowerShellCredentialOptions { TenantId = address.TenantId }, static options => options.AdditionallyAllowedTenants, address)),
        TaskHubAuthentication.VisualStudio => new VisualStudioCredential(
            With(new VisualStudioCredentialOptions { TenantId = address.TenantId }, static options => options.AdditionallyAllowedTenants, address)),
        var other => throw new FormatException($"Authentication={other} is not known."),
    };

    private static T With<T>(T options, Func<T, IList<string>> tenants, TaskHubAddress address)
    {
        foreach (var tenant in address.AdditionallyAllowedTenants)
        {
            tenants(options).Add(tenant);
        }

        return options;
    }

    private static WorkloadIdentityCredentialOptions WorkloadOptions(TaskHubAddress address)
    {
        var options = new WorkloadIdentityCredentialOptions();
        options.ClientId = address.ClientId ?? options.ClientId;
        options.TenantId = address.TenantId ?? options.TenantId;
        options.TokenFilePath = address.TokenFilePath ?? options.TokenFilePath;
        return With(options, static one => one.AdditionallyAllowedTenants, address);
    }
}
