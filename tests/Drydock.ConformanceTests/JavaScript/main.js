// node main.js HOST:PORT — runs every scenario against the hub there and tells how each went.
'use strict';
const { randomUUID } = require('node:crypto');
const { TaskHubGrpcClient, TaskHubGrpcWorker, NoOpLogger } = require('@microsoft/durabletask-js');
const { activities, entities, orchestrators } = require('./tasks');
const scenarios = require('./scenarios');

async function main(hostAddress) {
  const logger = process.env.DRYDOCK_DEBUG ? undefined : new NoOpLogger();
  const worker = new TaskHubGrpcWorker({ hostAddress, logger, workItemFilters: 'auto', shutdownTimeoutMs: 2000 });
  for (const [name, run] of Object.entries(activities)) worker.addNamedActivity(name, run);
  for (const [name, run] of Object.entries(orchestrators)) worker.addNamedOrchestrator(name, run);
  for (const [name, factory] of Object.entries(entities)) worker.addNamedEntity(name, factory);
  await worker.start();
  const client = new TaskHubGrpcClient({ hostAddress, logger });
  await Promise.all(Object.entries(scenarios).map(async ([scenario, run]) => {
    let error = null;
    try {
      await run(client, `${scenario}-${randomUUID()}`, hostAddress);
    } catch (thrown) {
      error = String(thrown?.stack ?? thrown);
    }
    console.log(JSON.stringify({ scenario, error }));
  }));
  await worker.stop();
  await client.stop();
}

main(process.argv[2]).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
