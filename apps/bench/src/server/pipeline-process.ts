/**
 * `node pipeline-process.js <endpoints> <put|get|batch> <callers> <seconds>`: load through the TypeScript client, whose
 * calls share messages on one stream; prints the measurement as one line of JSON. Endpoints are separated by commas; a
 * batch is 100 puts, each of which counts.
 */
import { connect } from '@shanghai/client/grpc';
import { closedLoop } from '../closed-loop.js';
import { pipelineKey } from './pipeline-key.js';

const [endpoints, operation = '', callers, seconds] = process.argv.slice(2);
if (endpoints === undefined || !['put', 'get', 'batch'].includes(operation)) {
  throw new TypeError('usage: pipeline-process.js <endpoints> <put|get|batch> <callers> <seconds>');
}

const batchPuts = 100;
const client = connect({ endpoints: endpoints.split(','), timeoutMs: 30_000 });
const value = new Uint8Array(100).fill(7);

async function call(number: number): Promise<void> {
  if (operation === 'put') await client.put(pipelineKey(number), value);
  else if (operation === 'batch') await client.batch(Array.from({ length: batchPuts }, (_, i) => putOf(number, i)));
  else if ((await client.get(pipelineKey(number))) === undefined) throw new Error('a key is missing');
}

function putOf(number: number, i: number) {
  return { put: pipelineKey(number * batchPuts + i), value };
}

const processorBefore = process.cpuUsage();
const startMs = performance.now();
const measured = await closedLoop(call, {
  callers: Number(callers),
  seconds: Number(seconds),
  operationsPerCall: operation === 'batch' ? batchPuts : 1,
});
const { user, system } = process.cpuUsage(processorBefore);
const clientCpuShare = (user + system) / 1_000 / (performance.now() - startMs);
await client.close();
process.stdout.write(`${JSON.stringify({ ...measured, details: { clientCpuShare } })}\n`);
