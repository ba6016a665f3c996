// node worker.js HOST:PORT: the JavaScript Durable Task SDK as worker and client of our hub. "fan N" in, {"seconds": …} out.
'use strict';
const { createInterface } = require('node:readline');
const { NoOpLogger, TaskHubGrpcClient, TaskHubGrpcWorker, whenAll } = require('@microsoft/durabletask-js');

async function main(hostAddress) {
  const logger = new NoOpLogger();
  const worker = new TaskHubGrpcWorker({ hostAddress, logger });
  worker.addNamedActivity('one', async (_, input) => input + 1);
  worker.addNamedOrchestrator('fan', async function* (context, width) {
    const tasks = [];
    for (let i = 0; i < width; i++) tasks.push(context.callActivity('one', i));
    return (yield whenAll(tasks)).reduce((sum, value) => sum + value, 0);
  });
  await worker.start();
  const client = new TaskHubGrpcClient({ hostAddress, logger });
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const width = Number(line.split(' ')[1]);
    const from = performance.now();
    const id = await client.scheduleNewOrchestration('fan', width);
    const state = await client.waitForOrchestrationCompletion(id, true, 300);
    const seconds = (performance.now() - from) / 1000;
    if (JSON.parse(state.serializedOutput) !== width * (width + 1) / 2) throw new Error(`wrong result ${state.serializedOutput}`);
    console.log(JSON.stringify({ seconds }));
  }
  await worker.stop();
}

main(process.argv[2]).then(() => process.exit(0), (error) => { console.error(error); process.exit(1); });
