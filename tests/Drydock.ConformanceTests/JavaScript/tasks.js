// What the JavaScript worker runs. Names are how both languages call them.
'use strict';
const { whenAll, whenAny, RetryPolicy } = require('@microsoft/durabletask-js');

const attempts = new Map();

const activities = {
  jsAdd: async (_, input) => input.a + input.b,
  jsEcho: async (_, input) => input,
  jsLength: async (_, input) => input.length,
  jsFail: async (_, input) => { throw new Error(`cannot ${input}`); },
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

module.exports = { activities, orchestrators };
