// node worker.mjs PORT: the workflows, as a deployment of a Restate server.
import * as restate from '@restatedev/restate-sdk';

const step = (context, name, value) => context.run(name, () => value + 1);

async function steps(context, from, to, value) {
  for (let i = from; i < to; i++) value = await step(context, `step${i}`, value);
  return value;
}

const workflow = (name, run) => restate.workflow({ name, handlers: { run } });

await restate.serve({
  port: Number(process.argv[2]),
  services: [
    workflow('chain', (context) => steps(context, 0, 5, 0)),
    workflow('fan', async (context, width) => {
      const all = await restate.RestatePromise.all(Array.from({ length: width }, (_, i) => step(context, `branch${i}`, i)));
      return all.reduce((sum, value) => sum + value, 0);
    }),
    workflow('pause', async (context, milliseconds) => {
      const two = await steps(context, 0, 2, 0);
      await context.sleep(milliseconds);
      return steps(context, 2, 5, two);
    }),
  ],
});
