using System.Reflection;

namespace Drydock.DurableTask.Entities;

/// <summary>
/// An entity whose operations are the public methods of its class, by name without case; if there is none, those of its state. A
/// method may take the input and a <see cref="TaskEntityContext"/> or <see cref="TaskEntityOperation"/>. The operation <c>delete</c>
/// deletes the state unless there is a method of that name.
/// </summary>
public abstract class TaskEntity<TState> : ITaskEntity
{
    private const BindingFlags Operations = BindingFlags.Public | BindingFlags.Instance | BindingFlags.IgnoreCase;

    /// <summary>Whether operations may be methods of the state. The default is false.</summary>
    protected virtual bool AllowStateDispatch => false;

    /// <summary>The state; whatever it is when the operation has ended is kept, null deletes it.</summary>
    protected TState State { get; set; } = default!;

    /// <summary>What the operation in hand may do.</summary>
    protected TaskEntityContext Context { get; private set; } = null!;

    /// <inheritdoc/>
    public async ValueTask<object?> RunAsync(TaskEntityOperation operation)
    {
        ArgumentNullException.ThrowIfNull(operation);
        Context = operation.Context;
        State = operation.State.HasState ? operation.State.GetState<TState>()! : InitializeState(operation);
        if (Find(this, typeof(TaskEntity<TState>), operation.Name) is { } own)
        {
            return await RunAsync(this, own, operation);
        }

        if (AllowStateDispatch && State is not null && Find(State, typeof(object), operation.Name) is { } ofState)
        {
            return await RunAsync(State, ofState, operation);
        }

        if (!string.Equals(operation.Name, "delete", StringComparison.OrdinalIgnoreCase))
        {
            throw new NotSupportedException($"No suitable method found for entity operation '{operation}'.");
        }

        operation.State.SetState(null);
        return null;
    }

    /// <summary>The state of an entity that has none.</summary>
    protected virtual TState InitializeState(TaskEntityOperation entityOperation) =>
        Nullable.GetUnderlyingType(typeof(TState)) is not null || typeof(TState) == typeof(string)
            ? default!
            : Activator.CreateInstance<TState>();

    private static MethodInfo? Find(object target, Type below, string name) => target.GetType().GetMethods(Operations)
        .Where(method => string.Equals(method.Name, name, StringComparison.OrdinalIgnoreCase) && !method.IsSpecialName)
        .FirstOrDefault(method => method.DeclaringType is { } type && type != typeof(object) && type != below);

    private async Task<object?> RunAsync(object target, MethodInfo method, TaskEntityOperation operation)
    {
        object? result;
        try
        {
            result = method.Invoke(target, [.. method.GetParameters().Select(parameter => Argument(parameter, operation))]);
        }
        catch (TargetInvocationException exception) when (exception.InnerException is { } thrown)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(thrown);
            throw;
        }

        var output = await UnwrapAsync(result, method.ReturnType);
        operation.State.SetState(State);
        return output;
    }

    private static object? Argument(ParameterInfo parameter, TaskEntityOperation operation) =>
        parameter.ParameterType == typeof(TaskEntityOperation) ? operation
        : parameter.ParameterType == typeof(TaskEntityContext) ? operation.Context
        : operation.HasInput ? operation.GetInput(parameter.ParameterType)
        : parameter.HasDefaultValue ? parameter.DefaultValue
        : throw new InvalidOperationException($"Error binding parameter '{parameter.Name}': entity operation '{operation}' had no input.");

    private static async Task<object?> UnwrapAsync(object? result, Type type)
    {
        switch (result)
        {
            case Task task:
                await task;
                return type.IsGenericType ? task.GetType().GetProperty("Result")!.GetValue(task) : null;
            case ValueTask task:
                await task;
                return null;
            case not null when type.IsGenericType && type.GetGenericTypeDefinition() == typeof(ValueTask<>):
                var asTask = (Task)type.GetMethod("AsTask")!.Invoke(result, null)!;
                await asTask;
                return asTask.GetType().GetProperty("Result")!.GetValue(asTask);
            default:
                return result;
        }
    }
}
