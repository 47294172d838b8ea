/**
 * `node pipeline-process.js <endpoint> <put|get> <callers> <seconds>`: load through the TypeScript client, whose calls
 * share messages on one stream; prints the measurement as one line of JSON.
 */
import { connect } from '@shanghai/client/grpc';
import { closedLoop } from '../closed-loop.js';
import { pipelineKey } from './pipeline-key.js';

const [endpoint, operation, callers, seconds] = process.argv.slice(2);
if (endpoint === undefined || (operation !== 'put' && operation !== 'get')) {
  throw new TypeError('usage: pipeline-process.js <endpoint> <put|get> <callers> <seconds>');
}

const client = connect({ endpoints: [endpoint], timeoutMs: 30_000 });
const value = new Uint8Array(100).fill(7);
const call =
  operation === 'put'
    ? (number: number) => client.put(pipelineKey(number), value)
    : async (number: number) => {
        if ((await client.get(pipelineKey(number))) === undefined) throw new Error('a key is missing');
      };

const processorBefore = process.cpuUsage();
const startMs = performance.now();
const measured = await closedLoop(call, { callers: Number(callers), seconds: Number(seconds) });
const { user, system } = process.cpuUsage(processorBefore);
const clientCpuShare = (user + system) / 1_000 / (performance.now() - startMs);
await client.close();
process.stdout.write(`${JSON.stringify({ ...measured, details: { clientCpuShare } })}\n`);
