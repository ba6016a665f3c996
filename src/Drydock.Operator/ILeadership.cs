namespace Drydock.Operator;

/// <summary>Which of several servers acts on resources: two at once would do no harm, but write everything twice.</summary>
public interface ILeadership
{
    /// <summary>Returns when this process is the one; the token is cancelled when it may not be any more.</summary>
    Task<CancellationToken> LeadAsync(CancellationToken cancellationToken);
}
