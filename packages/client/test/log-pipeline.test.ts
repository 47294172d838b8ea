import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/client-error.js';
import { createTestClient } from '../src/testing/test-client.js';

const sizes = (messages: ReturnType<typeof createTestClient>['transport']['logMessages']) =>
  messages.map(({ request }) => (request?.$case === 'group' ? request.value.requests.length : 1));

describe('appends', () => {
  it('of one turn go in one message, and their places follow the order of the calls', async () => {
    const { client, transport } = createTestClient();
    await client.log.create('l');
    const places = await Promise.all(Array.from({ length: 100 }, (_, i) => client.log.append('l', `${i}`)));
    expect(sizes(transport.logMessages)).toEqual([100]);
    expect(places.map(({ firstSequence }) => firstSequence)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });

  it('tell each its own failure', async () => {
    const { client } = createTestClient();
    await client.log.create('l');
    const [first, conflict, missing] = await Promise.allSettled([
      client.log.append('l', 'a'),
      client.log.append('l', 'b', { expectedLastSequence: 7 }),
      client.log.append('other', 'c'),
    ]);
    expect(first).toMatchObject({ status: 'fulfilled' });
    expect(conflict).toMatchObject({ reason: { code: 'CONFLICT', details: { lastSequence: 1 } } });
    expect(missing).toMatchObject({ reason: { code: 'NOT_FOUND' } });
  });

  it('go one by one where a node has no such stream, which is not asked for every time', async () => {
    const { client, transport } = createTestClient();
    const open = transport.open.bind(transport);
    let streams = 0;
    transport.open = (endpoint) => {
      const channel = open(endpoint);
      channel.logPipeline = (listener) => {
        streams++;
        const write = () => {
          queueMicrotask(() => listener.onEnd(new ClientError('UNSUPPORTED', 'no such method', { answered: true })));
          return true;
        };
        return { write, end() {}, cancel() {} };
      };
      return channel;
    };
    await client.log.create('l');
    await expect(client.log.append('l', 'a')).resolves.toMatchObject({ firstSequence: 1 });
    await expect(client.log.append('l', 'b')).resolves.toMatchObject({ firstSequence: 2 });
    expect(streams).toBe(1);
  });

  it('that have no number of a producer are not sent again when their answer is lost; those that have one are', async () => {
    const { client, transport, clock } = createTestClient();
    await client.log.create('l');
    let lost = 0;
    transport.fate = (each) =>
      each.kind === 'unary' && each.method === 'appendLog' && lost++ === 0 ? 'lose-answer' : 'deliver';
    await expect(client.log.append('l', 'a')).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    lost = 0;
    const numbered = client.log.append('l', 'b', { producer: { producerId: 3, epoch: 1, sequence: 1 } });
    await clock.advance(1_000);
    await expect(numbered).resolves.toMatchObject({ firstSequence: 2, duplicate: true });
  });
});
