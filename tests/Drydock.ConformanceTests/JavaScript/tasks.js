// What the JavaScript worker runs. Names are how both languages call them.
'use strict';
const { whenAll, whenAny, EntityInstanceId, RetryPolicy, TaskEntity } = require('@microsoft/durabletask-js');

const attempts = new Map();

const activities = {
  jsAdd: async (_, input) => input.a + input.b,
  jsEcho: async (_, input) => input,
  jsLength: async (_, input) => input.length,
  jsFail: async (_, input) => { throw new Error(`cannot ${input}`); },
  jsSecondTime: async (context) => {
    const attempt = (attempts.get(context.orchestrationId) ?? 0) + 1;
    attempts.set(context.orchestrationId, attempt);
    if (attempt < 2) throw new Error('not yet');
    return attempt;
  },
  jsThirdTime: async (context) => {
    const attempt = (attempts.get(context.orchestrationId) ?? 0) + 1;
    attempts.set(context.orchestrationId, attempt);
    if (attempt < 3) throw new Error(`attempt ${attempt}`);
    return attempt;
  },
};

const orchestrators = {
  jsChain: async function* (context, input) {
    const three = yield context.callActivity('jsAdd', { a: input, b: 1 });
    return yield context.callActivity('jsAdd', { a: three, b: 1 });
  },
  jsFanOut: async function* (context, count) {
    const tasks = [];
    for (let i = 0; i < count; i++) tasks.push(context.callActivity('jsAdd', { a: i, b: i }));
    return (yield whenAll(tasks)).reduce((sum, value) => sum + value, 0);
  },
  jsEvents: async function* (context) {
    const first = yield context.waitForExternalEvent('first');
    const second = yield context.waitForExternalEvent('second');
    return [first, second];
  },
  jsEventOrTimer: async function* (context) {
    const event = context.waitForExternalEvent('never');
    const timer = context.createTimer(0.2);
    const winner = yield whenAny([event, timer]);
    return winner === timer ? 'timer' : 'event';
  },
  jsParent: async function* (context, input) {
    return yield context.callSubOrchestrator('jsChain', input);
  },
  jsForever: async function* (context) {
    context.setCustomStatus({ waiting: true });
    return yield context.waitForExternalEvent('go');
  },
  jsParentOfForever: async function* (context) {
    return yield context.callSubOrchestrator('jsForever', null, { instanceId: context.instanceId + ':child' });
  },
  jsRetry: async function* (context) {
    const retry = new RetryPolicy({ maxNumberOfAttempts: 5, firstRetryIntervalInMilliseconds: 10 });
    return yield context.callActivity('jsThirdTime', null, { retry });
  },
  jsSecondTime: async function* (context) {
    return yield context.callActivity('jsSecondTime');
  },
  jsFails: async function* (context) {
    return yield context.callActivity('jsFail', 'do that');
  },
  jsCountDown: async function* (context, left) {
    const event = yield context.waitForExternalEvent('tick');
    if (left > 1) {
      context.continueAsNew(left - 1, true);
      return null;
    }
    return `last ${event}`;
  },
  jsLarge: async function* (context, input) {
    const text = yield context.callActivity('jsEcho', input);
    return yield context.callActivity('jsLength', text);
  },
  jsCallsCs: async function* (context, input) {
    return yield context.callActivity('CsSquare', input);
  },
  jsCallsCsSub: async function* (context, input) {
    return yield context.callSubOrchestrator('CsParent', input);
  },
};

class JsCounter extends TaskEntity {
  add(amount) { this.state.count += amount; return this.state.count; }
  get() { return this.state.count; }
  fail() { throw new Error('no'); }
  initializeState() { return { count: 0 }; }
}

orchestrators.jsEntityCalls = async function* (context, key) {
  const id = new EntityInstanceId('jsCounter', key);
  context.entities.signalEntity(id, 'add', 1);
  yield context.entities.callEntity(id, 'add', 2);
  try {
    yield context.entities.callEntity(id, 'fail');
  } catch {
    return yield context.entities.callEntity(id, 'get');
  }
};

// Without the lock, two of these would lose each other's step.
orchestrators.jsEntityStep = async function* (context, key) {
  const id = new EntityInstanceId('jsCounter', key);
  const lock = yield context.entities.lockEntities(id, new EntityInstanceId('jsCounter', key + '-other'));
  const before = yield context.entities.callEntity(id, 'get');
  yield context.createTimer(0.05);
  const now = yield context.entities.callEntity(id, 'get');
  yield context.entities.callEntity(id, 'add', before === now ? 1 : 100);
  lock.release();
  return now;
};

const entities = { jsCounter: () => new JsCounter() };

module.exports = { activities, orchestrators, entities };
