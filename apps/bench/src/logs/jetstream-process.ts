/**
 * `node jetstream-process.js <servers> <publish|consume> <callers> <seconds>`: load on JetStream through its TypeScript
 * client; prints the measurement as one line of JSON. Servers are separated by commas. Consuming reads what was published.
 */
import { connect } from 'nats';
import { closedLoop } from '../closed-loop.js';
import { valueBytes } from './entry-size.js';
import { streamName } from './jetstream-cluster.js';
import { measureFlow } from './measure-flow.js';

const [servers, operation = '', callers, seconds] = process.argv.slice(2);
if (servers === undefined || !['publish', 'consume'].includes(operation)) {
  throw new TypeError('usage: jetstream-process.js <servers> <publish|consume> <callers> <seconds>');
}

const connection = await connect({ servers: servers.split(',') });
const stream = connection.jetstream();
const value = new Uint8Array(valueBytes).fill(7);
const measured =
  operation === 'publish'
    ? await closedLoop(() => stream.publish(streamName, value, { timeout: 30_000 }), {
        callers: Number(callers),
        seconds: Number(seconds),
      })
    : await measureFlow(consumed(), Number(seconds));
await connection.close();
process.stdout.write(`${JSON.stringify(measured)}\n`);

/** What the stream holds, from its beginning on. */
async function* consumed(): AsyncGenerator<number> {
  const consumer = await stream.consumers.get(streamName);
  const { num_pending: held } = await consumer.info();
  let left = held;
  for await (const message of await consumer.consume({ max_messages: 20_000 })) {
    yield message.data.length;
    left--;
    if (left === 0) return;
  }
}
