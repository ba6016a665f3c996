using Drydock.Simulator.Store;

namespace Drydock.Simulator.Api;

/// <summary>The form in which a client wants objects.</summary>
internal enum Form
{
    Object,
    Table,
    PartialMetadata,
    Discovery,
}

/// <summary>The answer to an Accept header.</summary>
internal sealed record Accept(Form Form, bool Yaml, string ContentType)
{
    private static readonly Accept _json = new(Form.Object, false, "application/json");

    /// <summary>The first of the wanted forms that the server has.</summary>
    /// <exception cref="ApiException">406: it has none.</exception>
    public static Accept Of(string header)
    {
        if (header.Length == 0)
        {
            return _json;
        }

        foreach (var wanted in header.Split(','))
        {
            var parts = wanted.Split(';', StringSplitOptions.TrimEntries);
            var form = parts.FirstOrDefault(p => p.StartsWith("as=", StringComparison.Ordinal))?[3..];
            if (parts[0] is "application/yaml")
            {
                return new Accept(Form.Object, true, "application/yaml");
            }

            if (parts[0] is not ("application/json" or "*/*" or "application/*"))
            {
                continue;
            }

            switch (form)
            {
                case null:
                    return _json;
                case "Table" when !parts.Contains("v=v1beta1"):
                    return _json with { Form = Form.Table };
                case "PartialObjectMetadata" or "PartialObjectMetadataList":
                    return _json with { Form = Form.PartialMetadata };
                case "APIGroupDiscoveryList" when parts.Contains("v=v2"):
                    return new Accept(Form.Discovery, false, "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList");
                default:
                    continue;
            }
        }

        throw new ApiException(406, "NotAcceptable", "406: Not Acceptable\n\nAvailable representations: application/json, "
            + "application/yaml, application/vnd.kubernetes.protobuf") { Details = [] };
    }
}
