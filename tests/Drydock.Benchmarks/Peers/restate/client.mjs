// node client.mjs INGRESS: one line in is one request, one line out its answer:
//   chains N | fan N | alone N | start N RUN | wait N RUN | finish N RUN
import { createInterface } from 'node:readline';
import * as clients from '@restatedev/restate-sdk-clients';

const ingress = process.argv[2];
const restate = clients.connect({ url: ingress });
const of = (name, id) => restate.workflowClient({ name }, id);

function expect(actual, wanted) {
  if (actual !== wanted) throw new Error(`expected ${wanted}, got ${actual}`);
}

async function run(name, id, wanted, input) {
  await of(name, id).workflowSubmit(input);
  expect(await of(name, id).workflowAttach(), wanted);
}

async function timed(work) {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

// The server comes up while we ask: until then nobody listens, or the partition has no leader.
async function outputOf(name, id) {
  for (;;) {
    const answer = await fetch(`${ingress}/restate/workflow/${name}/${id}/output`).catch(() => null);
    if (answer?.status === 200) return answer.json();
    await answer?.text();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const each = (count, work) => Promise.all(Array.from({ length: count }, (_, i) => work(i)));
let serial = 0;
const fresh = () => `${process.pid}-${Date.now()}-${serial++}`;
const requests = {
  chains: async (count) => ({ seconds: await timed(() => each(count, () => run('chain', fresh(), 5))) / 1000 }),
  fan: async (width) => ({ seconds: await timed(() => run('fan', fresh(), width * (width + 1) / 2, width)) / 1000 }),
  alone: async (count) => {
    const latencies = [];
    for (let i = 0; i < count; i++) latencies.push(await timed(() => run('chain', fresh(), 5)));
    return { latencies };
  },
  start: async (count, round) => {
    await each(count, (i) => of('pause', `crash-${round}-${i}`).workflowSubmit(6000));
    return {};
  },
  wait: async (count, round) => {
    await each(count, (i) => of('pause', `wait-${round}-${i}`).workflowSubmit(3600000));
    return {};
  },
  finish: async (count, round) => {
    await each(count, async (i) => expect(await outputOf('pause', `crash-${round}-${i}`), 5));
    return {};
  },
};

console.log(JSON.stringify({ ready: true }));
for await (const line of createInterface({ input: process.stdin })) {
  const [request, ...values] = line.split(' ');
  console.log(JSON.stringify(await requests[request](...values.map(Number))));
}
process.exit(0);
