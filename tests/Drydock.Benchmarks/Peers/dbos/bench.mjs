// node bench.mjs serve: workflows on DBOS in this process, as its users run them. One line in is one request, one line out its answer:
//   chains N | fan N | alone N | start N RUN | wait N RUN | finish N RUN
import { createInterface } from 'node:readline';
import { DBOS } from '@dbos-inc/dbos-sdk';

const step = (name, value) => DBOS.runStep(async () => value + 1, { name });

async function steps(from, to, value) {
  for (let i = from; i < to; i++) value = await step(`step${i}`, value);
  return value;
}

const chain = DBOS.registerWorkflow(() => steps(0, 5, 0), { name: 'chain' });

const fan = DBOS.registerWorkflow(async (width) => {
  const all = await Promise.all(Array.from({ length: width }, (_, i) => step(`branch${i}`, i)));
  return all.reduce((sum, value) => sum + value, 0);
}, { name: 'fan' });

const pause = DBOS.registerWorkflow(async (milliseconds) => {
  const two = await steps(0, 2, 0);
  await DBOS.sleep(milliseconds);
  return steps(2, 5, two);
}, { name: 'pause' });

DBOS.setConfig({
  name: 'bench', systemDatabaseUrl: process.env.DBURL, systemDatabasePoolSize: 50, logLevel: 'error', runAdminServer: false, applicationVersion: '1',
});

function expect(actual, wanted) {
  if (actual !== wanted) throw new Error(`expected ${wanted}, got ${actual}`);
}

async function run(workflow, id, wanted, ...input) {
  const handle = await DBOS.startWorkflow(workflow, { workflowID: id })(...input);
  expect(await handle.getResult(), wanted);
}

async function timed(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

const each = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));
let serial = 0;
const fresh = () => `${process.pid}-${serial++}`;
const requests = {
  chains: async (count) => ({ seconds: await timed(() => each(count, () => run(chain, fresh(), 5))) / 1000 }),
  fan: async (width) => ({ seconds: await timed(() => run(fan, fresh(), width * (width + 1) / 2, width)) / 1000 }),
  alone: async (count) => {
    const latencies = [];
    for (let i = 0; i < count; i++) latencies.push(await timed(() => run(chain, fresh(), 5)));
    return { latencies };
  },
  start: async (count, round) => {
    await each(count, (i) => DBOS.startWorkflow(pause, { workflowID: `crash-${round}-${i}` })(6000));
    return {};
  },
  wait: async (count, round) => {
    await each(count, (i) => DBOS.startWorkflow(pause, { workflowID: `wait-${round}-${i}` })(3600000));
    return {};
  },
  finish: async (count, round) => {
    await each(count, async (i) => expect(await DBOS.retrieveWorkflow(`crash-${round}-${i}`).getResult(), 5));
    return {};
  },
};

await DBOS.launch();
console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const [request, ...values] = line.split(' ');
  console.log(JSON.stringify(await requests[request](...values.map(Number))));
}
process.exit(0);
