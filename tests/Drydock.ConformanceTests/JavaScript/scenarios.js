// One function per scenario; each gets a client and a fresh instance id, and throws if something is not as it should be.
'use strict';
const assert = require('node:assert/strict');
const { Metadata } = require('@grpc/grpc-js');
const { EntityInstanceId, NoOpLogger, OrchestrationStatus, PurgeInstanceCriteria, TaskHubGrpcClient, terminateOptions } = require('@microsoft/durabletask-js');

// Of a scenario, in seconds: all of them run at once, and what takes longer hangs.
const PATIENCE = 120;
const done = (client, id) => client.waitForOrchestrationCompletion(id, true, PATIENCE);
const output = (state) => JSON.parse(state.serializedOutput);

async function run(client, name, input, id) {
  await client.scheduleNewOrchestration(name, input, id);
  const state = await done(client, id);
  assert.equal(state.runtimeStatus, OrchestrationStatus.COMPLETED, state.failureDetails?.message ?? 'it did not complete');
  return output(state);
}

async function until(what, check) {
  const end = Date.now() + PATIENCE * 1000;
  while (Date.now() < end) {
    if (await check()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.fail(`it never came to that: ${what}`);
}

module.exports = {
  chain: async (client, id) => assert.equal(await run(client, 'jsChain', 1, id), 3),

  fanOut: async (client, id) => assert.equal(await run(client, 'jsFanOut', 50, id), 2450),

  timer: async (client, id) => assert.equal(await run(client, 'jsEventOrTimer', null, id), 'timer'),

  subOrchestration: async (client, id) => assert.equal(await run(client, 'jsParent', 5, id), 7),

  retry: async (client, id) => assert.equal(await run(client, 'jsRetry', null, id), 3),

  events: async (client, id) => {
    await client.scheduleNewOrchestration('jsEvents', null, id);
    await client.raiseOrchestrationEvent(id, 'second', { n: 2 });
    await client.raiseOrchestrationEvent(id, 'first', 'one');
    assert.deepEqual(output(await done(client, id)), ['one', { n: 2 }]);
  },

  failure: async (client, id) => {
    await client.scheduleNewOrchestration('jsFails', null, id);
    const state = await done(client, id);
    assert.equal(state.runtimeStatus, OrchestrationStatus.FAILED);
    assert.match(state.failureDetails.message, /cannot do that/);
  },

  continueAsNew: async (client, id) => {
    await client.scheduleNewOrchestration('jsCountDown', 3, id);
    for (const tick of ['a', 'b', 'c']) await client.raiseOrchestrationEvent(id, 'tick', tick);
    assert.equal(output(await done(client, id)), 'last c');
  },

  suspendAndResume: async (client, id) => {
    await client.scheduleNewOrchestration('jsForever', null, id);
    await client.waitForOrchestrationStart(id, false, PATIENCE);
    await client.suspendOrchestration(id);
    await until('suspended', async () => (await client.getOrchestrationState(id)).runtimeStatus === OrchestrationStatus.SUSPENDED);
    await client.raiseOrchestrationEvent(id, 'go', 42);
    await client.resumeOrchestration(id);
    assert.equal(output(await done(client, id)), 42);
  },

  terminateRecursively: async (client, id) => {
    await client.scheduleNewOrchestration('jsParentOfForever', null, id);
    await until('a child', async () => (await client.getOrchestrationState(id + ':child'))?.runtimeStatus === OrchestrationStatus.RUNNING);
    await client.terminateOrchestration(id, terminateOptions({ output: 'enough', recursive: true }));
    assert.equal((await done(client, id)).runtimeStatus, OrchestrationStatus.TERMINATED);
    assert.equal((await done(client, id + ':child')).runtimeStatus, OrchestrationStatus.TERMINATED);
  },

  customStatusAndStart: async (client, id) => {
    await client.scheduleNewOrchestration('jsForever', null, id);
    await until('a custom status', async () => (await client.getOrchestrationState(id, true)).serializedCustomStatus === '{"waiting":true}');
    await client.terminateOrchestration(id, null);
    assert.equal((await done(client, id)).runtimeStatus, OrchestrationStatus.TERMINATED);
  },

  scheduledStart: async (client, id) => {
    const at = new Date(Date.now() + 5000);
    await client.scheduleNewOrchestration('jsChain', 1, { instanceId: id, startAt: at });
    const { runtimeStatus } = await client.getOrchestrationState(id);
    // On a machine that took longer for the two calls, it may have begun.
    if (Date.now() < at.getTime()) assert.equal(runtimeStatus, OrchestrationStatus.PENDING);
    assert.equal(output(await done(client, id)), 3);
    assert.ok(Date.now() >= at.getTime());
  },

  purge: async (client, id) => {
    await run(client, 'jsChain', 1, id);
    assert.equal((await client.purgeOrchestration(id)).deletedInstanceCount, 1);
    assert.equal(await client.getOrchestrationState(id), undefined);
  },

  // On a hub of its own, which has no worker: what never started is terminated without one.
  purgeByFilterOnAnotherHub: async (client, id, hostAddress) => {
    const metadata = new Metadata();
    metadata.set('taskhub', 'other');
    const other = new TaskHubGrpcClient({ hostAddress, logger: new NoOpLogger(), metadataGenerator: async () => metadata });
    for (const n of [1, 2]) await other.scheduleNewOrchestration('jsChain', n, `${id}-${n}`);
    await other.terminateOrchestration(`${id}-1`, 'no');
    assert.equal(await client.getOrchestrationState(`${id}-1`), undefined);
    const criteria = new PurgeInstanceCriteria();
    criteria.setRuntimeStatusList([OrchestrationStatus.TERMINATED]);
    assert.equal((await other.purgeOrchestration(criteria)).deletedInstanceCount, 1);
    assert.equal((await other.getOrchestrationState(`${id}-2`)).runtimeStatus, OrchestrationStatus.PENDING);
    await other.stop();
  },

  queries: async (client, id) => {
    for (const n of [1, 2, 3]) await run(client, 'jsChain', n, `${id}-${n}`);
    const found = [];
    for await (const state of client.getAllInstances({ instanceIdPrefix: id, pageSize: 2 })) found.push(state.instanceId);
    assert.deepEqual(found.sort(), [1, 2, 3].map((n) => `${id}-${n}`));
  },

  history: async (client, id) => {
    await run(client, 'jsChain', 1, id);
    const types = (await client.getOrchestrationHistory(id)).map((event) => event.type);
    assert.equal(types.filter((type) => type === 'TaskCompleted').length, 2);
    assert.ok(types.includes('ExecutionCompleted'));
  },

  restart: async (client, id) => {
    await run(client, 'jsChain', 1, id);
    const again = await client.restartOrchestration(id, true);
    assert.notEqual(again, id);
    assert.equal(output(await done(client, again)), 3);
  },

  // Four times in the history of a worker that cannot stream it: just below what one message may have.
  largeInputs: async (client, id) => assert.equal(await run(client, 'jsLarge', 'x'.repeat(900 * 1024), id), 900 * 1024),

  // More history than one message may have, and a worker that cannot stream it: it must fail, alone, and say why.
  tooLargeForThisWorker: async (client, id) => {
    await client.scheduleNewOrchestration('jsLarge', 'x'.repeat(1900 * 1024), id);
    const state = await done(client, id);
    assert.equal(state.runtimeStatus, OrchestrationStatus.FAILED);
    assert.match(state.failureDetails.message, /takes at most/);
    assert.equal(await run(client, 'jsChain', 1, id + '-after'), 3);
  },

  entityFromClient: async (client, id) => {
    const entity = new EntityInstanceId('jsCounter', id);
    for (const amount of [1, 2, 3]) await client.signalEntity(entity, 'add', amount);
    await until('a sum', async () => (await client.getEntity(entity, true))?.state?.count === 6);
    await client.signalEntity(entity, 'add', 10, { signalTime: new Date(Date.now() + 300) });
    await until('a later sum', async () => (await client.getEntity(entity, true)).state.count === 16);
    const found = [];
    for await (const one of client.getEntities({ instanceIdStartsWith: `@jscounter@${id}` })) found.push(one.id.key);
    assert.deepEqual(found, [id]);
    await client.signalEntity(entity, 'delete');
    await until('it is gone', async () => (await client.getEntity(entity)) === undefined);
    assert.ok((await client.cleanEntityStorage()).emptyEntitiesRemoved >= 1);
  },

  entityFromOrchestrator: async (client, id) => assert.equal(await run(client, 'jsEntityCalls', id, id), 3),

  entityLocks: async (client, id) => {
    const steps = [1, 2, 3, 4].map((n) => run(client, 'jsEntityStep', id, `${id}-${n}`));
    assert.deepEqual((await Promise.all(steps)).sort(), [0, 1, 2, 3]);
    const entity = await client.getEntity(new EntityInstanceId('jsCounter', id), true);
    assert.equal(entity.state.count, 4);
    assert.equal(entity.lockedBy, undefined);
  },

  rewind: async (client, id) => {
    await client.scheduleNewOrchestration('jsSecondTime', null, id);
    assert.equal((await done(client, id)).runtimeStatus, OrchestrationStatus.FAILED);
    await client.rewindInstance(id, 'mended');
    assert.equal(output(await done(client, id)), 2);
  },

  jsOrchestratorCallsCsActivity: async (client, id) => assert.equal(await run(client, 'jsCallsCs', 7, id), 49),

  csOrchestratorCallsJsActivity: async (client, id) => assert.equal(await run(client, 'CsCallsJs', 'hello', id), 'hello'),

  jsOrchestratorCallsCsOrchestrator: async (client, id) => assert.equal(await run(client, 'jsCallsCsSub', 4, id), 16),

  csOrchestratorCallsJsOrchestrator: async (client, id) => assert.equal(await run(client, 'CsCallsJsSub', 1, id), 3),
};
