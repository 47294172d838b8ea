/**
 * `node log-process.js <endpoints> <log> <append|tail> <callers> <seconds>`: load on a named log through the TypeScript
 * client; prints the measurement as one line of JSON. Endpoints are separated by commas. A tail reads what is there.
 */
import { connect } from '@shanghai/client/grpc';
import { closedLoop } from '../closed-loop.js';
import { valueBytes } from './entry-size.js';
import { measureFlow } from './measure-flow.js';

const [endpoints, log, operation = '', callers, seconds] = process.argv.slice(2);
if (endpoints === undefined || log === undefined || !['append', 'tail'].includes(operation)) {
  throw new TypeError('usage: log-process.js <endpoints> <log> <append|tail> <callers> <seconds>');
}

const client = connect({ endpoints: endpoints.split(','), timeoutMs: 30_000 });
const value = new Uint8Array(valueBytes).fill(7);
const measured =
  operation === 'append'
    ? await closedLoop(() => client.log.append(log, value), { callers: Number(callers), seconds: Number(seconds) })
    : await measureFlow(tailed(log), Number(seconds));
await client.close();
process.stdout.write(`${JSON.stringify(measured)}\n`);

/** What the log holds, from its beginning on. */
async function* tailed(name: string): AsyncGenerator<number> {
  const { origins, settings } = await client.log.describe(name);
  let left = origins.reduce((sum, { firstSequence, lastSequence }) => sum + lastSequence - firstSequence + 1, 0);
  for await (const entry of client.log.tail(name, settings.mode === 'multi-master' ? { allOrigins: true } : {})) {
    yield entry.value.length;
    left--;
    if (left === 0) return;
  }
}
