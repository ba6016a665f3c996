using Drydock.DurableTask.Entities;
using Drydock.DurableTask.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Type = System.Type;

namespace Drydock.DurableTask.Worker;

/// <summary>One operation: what it was given, and what it wants to change, which counts only if it succeeds.</summary>
internal sealed class EntityOperation : TaskEntityOperation
{
    private readonly string? _input;
    private readonly DataConverter _converter;
    private readonly StateText _state;

    public EntityOperation(EntityInstanceId id, string name, string? input, string? state, DataConverter converter)
    {
        Name = name;
        _input = input;
        _converter = converter;
        _state = new StateText(state, converter);
        Context = new OperationContext(id, Actions, converter);
    }

    public List<OperationAction> Actions { get; } = [];

    public string? SerializedState => _state.Text;

    public override string Name { get; }

    public override TaskEntityContext Context { get; }

    public override TaskEntityState State => _state;

    public override bool HasInput => _input is not null;

    public override object? GetInput(Type inputType) => _converter.Deserialize(_input, inputType);

    private sealed class StateText(string? text, DataConverter converter) : TaskEntityState
    {
        public string? Text { get; private set; } = text;

        public override bool HasState => Text is not null;

        public override object? GetState(Type type) => converter.Deserialize(Text, type);

        public override void SetState(object? state) => Text = converter.Serialize(state);
    }

    private sealed class OperationContext(EntityInstanceId id, List<OperationAction> actions, DataConverter converter) : TaskEntityContext
    {
        public override EntityInstanceId Id { get; } = id;

        public override void SignalEntity(EntityInstanceId id, string operationName, object? input = null, SignalEntityOptions? options = null)
        {
            ArgumentException.ThrowIfNullOrEmpty(operationName);
            actions.Add(new OperationAction
            {
                SendSignal = new SendSignalAction
                {
                    InstanceId = id.ToString(),
                    Name = operationName,
                    Input = converter.Serialize(input),
                    ScheduledTime = options?.SignalTime?.ToTimestamp(),
                },
            });
        }

        public override string ScheduleNewOrchestration(TaskName name, object? input = null, StartOrchestrationOptions? options = null)
        {
            var instanceId = options?.InstanceId ?? Guid.NewGuid().ToString("N");
            actions.Add(new OperationAction
            {
                StartNewOrchestration = new StartNewOrchestrationAction
                {
                    InstanceId = instanceId,
                    Name = name,
                    Version = options?.Version?.Version,
                    Input = converter.Serialize(input),
                    ScheduledTime = options?.StartAt?.ToTimestamp(),
                },
            });
            return instanceId;
        }
    }
}
