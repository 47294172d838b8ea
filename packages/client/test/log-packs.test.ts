import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/client-error.js';
import { createTestClient } from '../src/testing/test-client.js';
import { packableRecord, packedBytes, packRecords, readPackedRecords, unpackedRecord } from '../src/wire/pack-wire.js';

type Fixture = ReturnType<typeof createTestClient>;

/** What went out since: of each message the kinds of its requests, packs with their appends. */
function sent({ transport }: Fixture, since: number): (string | number)[][] {
  return transport.logMessages.slice(since).map(({ request }) => {
    const requests = request?.$case === 'group' ? request.value.requests : [{ request }];
    return requests.map((each) => {
      if (each.request?.$case !== 'pack') return 'append';
      return each.request.value.counts.length || readPackedRecords(each.request.value.records).length;
    });
  });
}

/** A client whose node has said that it takes packs. */
async function warmClient(options: Parameters<typeof createTestClient>[0] = {}) {
  const fixture = createTestClient(options);
  await fixture.client.log.create('l');
  await fixture.client.log.append('l', 'first');
  return { ...fixture, before: fixture.transport.logMessages.length };
}

const valuesOf = async ({ client }: Fixture) =>
  (await client.log.read('l')).entries.map(({ value }) => Buffer.from(value).toString());

describe('plain appends of a turn', () => {
  it('are one pack once the node has said that it takes them, and each is told its own place', async () => {
    const fixture = await warmClient();
    const { client, before } = fixture;
    const places = await Promise.all([
      client.log.append('l', 'a'),
      client.log.append('l', ['b', 'c']),
      client.log.append('l', { key: 'k', value: 'd', headers: [{ name: 'n', value: 'h' }] }),
    ]);
    expect(sent(fixture, 0)).toEqual([['append'], [3]]);
    expect(before).toBe(1);
    expect(places.map(({ firstSequence, lastSequence }) => [firstSequence, lastSequence])).toEqual([
      [2, 2],
      [3, 4],
      [5, 5],
    ]);
    const [last] = (await client.log.read('l', { from: 5 })).entries;
    expect([last?.key, last?.value, last?.headers].flat().map(String)).toEqual(['k', 'd', '[object Object]']);
    expect(last?.headers).toEqual([{ name: 'n', value: Buffer.from('h') }]);
  });

  it('keep the order of the calls with those that are not plain, and with other logs beside them', async () => {
    const fixture = await warmClient();
    const { client, before } = fixture;
    await client.log.create('other');
    await Promise.all([
      client.log.append('l', 'a'),
      client.log.append('other', 'x'),
      client.log.append('l', 'b'),
      client.log.append('l', 'c', { expectedLastSequence: 3 }),
      client.log.append('l', 'd'),
      client.log.append('l', 'e', { acknowledgement: 'all' }),
      client.log.append('l', 'f', { producer: { producerId: 1, epoch: 1, sequence: 1 } }),
    ]);
    expect(await valuesOf(fixture)).toEqual(['first', 'a', 'b', 'c', 'd', 'e', 'f']);
    expect(sent(fixture, before)).toEqual([[2, 'append', 1, 1, 'append', 1]]);
  });

  it('fill packs up to the bounds of a message', async () => {
    const fixture = await warmClient({ maxMessageRequests: 4, maxMessageBytes: 200 });
    const { client, before } = fixture;
    await Promise.all(Array.from({ length: 10 }, (_, i) => client.log.append('l', `${i}`)));
    await Promise.all(Array.from({ length: 3 }, () => client.log.append('l', 'v'.repeat(80))));
    await client.log.append('l', 'v'.repeat(1_000));
    expect(sent(fixture, before)).toEqual([[4], [4], [2], [2], [1], [1]]);
    expect((await valuesOf(fixture)).slice(1, 11)).toEqual(Array.from({ length: 10 }, (_, i) => `${i}`));
  });

  it('count one by one against what may be pending', async () => {
    const { client, transport } = await warmClient({ maxPendingRequests: 3 });
    transport.holdAnswers = true;
    const appends = Array.from({ length: 4 }, (_, i) => client.log.append('l', `${i}`));
    await expect(appends[3]).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED', sent: false });
    transport.holdAnswers = false;
    await Promise.all(appends.slice(0, 3));
    await expect(client.log.append('l', 'again')).resolves.toMatchObject({ firstSequence: 5 });
  });

  it('refuse what makes no sense to its own caller alone', async () => {
    const { client } = await warmClient();
    const [fine, empty, wrong, named] = await Promise.allSettled([
      client.log.append('l', 'a'),
      client.log.append('l', []),
      client.log.append('l', { value: 7 as unknown as string }),
      client.log.append('no/name', 'b'),
    ]);
    expect(fine).toMatchObject({ value: { firstSequence: 2 } });
    expect(empty).toMatchObject({ reason: expect.any(RangeError) });
    expect(wrong).toMatchObject({ reason: expect.any(TypeError) });
    expect(named).toMatchObject({ reason: expect.any(RangeError) });
  });
});

describe('a pack', () => {
  it('of a log that is not there fails for each of its appends', async () => {
    const { client } = await warmClient();
    const results = await Promise.allSettled([client.log.append('none', 'a'), client.log.append('none', 'b')]);
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'NOT_FOUND' } });
  });

  it('whose answer is lost leaves each of its appends unknown, and is not sent again', async () => {
    const fixture = await warmClient();
    const { client, transport } = fixture;
    let losses = 1;
    transport.fate = (each) =>
      each.kind === 'unary' && each.method === 'appendLog' && losses-- > 0 ? 'lose-answer' : 'deliver';
    const results = await Promise.allSettled([client.log.append('l', 'a'), client.log.append('l', 'b')]);
    for (const result of results) expect(result).toMatchObject({ reason: { code: 'OUTCOME_UNKNOWN' } });
    expect(await valuesOf(fixture)).toEqual(['first', 'a', 'b']);
  });

  it('that a node refuses for another to take goes there, as calls of their own until that one takes packs', async () => {
    const fixture = await warmClient();
    const { client, transport, clock, before } = fixture;
    let refusals = 1;
    transport.fate = (each) => {
      const isAppend = each.kind === 'unary' && each.method === 'appendLog';
      return isAppend && refusals-- > 0 ? new ClientError('CLUSTER_ERROR', 'no leader', { answered: true }) : 'deliver';
    };
    const appends = [client.log.append('l', 'a'), client.log.append('l', 'b')];
    await clock.advance(1_000);
    await Promise.all(appends);
    expect(await valuesOf(fixture)).toEqual(['first', 'a', 'b']);
    expect(sent(fixture, before)[0]).toEqual([2]);
  });

  it('is taken apart where the node that is there now takes none, in the order of the calls', async () => {
    const fixture = await warmClient({ maxUnansweredMessages: 1 });
    const { client, transport, clock, before } = fixture;
    transport.holdAnswers = true;
    const out = client.log.append('l', 'out').catch((error: unknown) => error);
    await Promise.resolve();
    await Promise.resolve();
    const waiting = Array.from({ length: 5 }, (_, i) => client.log.append('l', i === 2 ? ['2', '2'] : `${i}`));
    await Promise.resolve();
    transport.takesPacks = false;
    transport.breakConnections();
    transport.holdAnswers = false;
    await clock.advance(1_000);
    await Promise.all(waiting);
    expect(await out).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    const values = await valuesOf(fixture);
    expect(values.slice(values.indexOf('0'))).toEqual(['0', '1', '2', '2', '3', '4']);
    expect(sent(fixture, before).flat()).toEqual([1, ...Array.from({ length: 5 }, () => 'append')]);
  });
});

it('records are the same before and behind a pack', () => {
  const bytes = fc.uint8Array({ maxLength: 40 });
  const record = fc.oneof(
    bytes,
    fc.string(),
    fc.record({
      key: bytes,
      value: bytes,
      headers: fc.array(fc.record({ name: fc.string({ minLength: 1, unit: 'binary' }), value: bytes }), {
        maxLength: 3,
      }),
    }),
  );
  const seed = 20_261_122;
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (inputs) => {
      const records = inputs.map(packableRecord);
      const total = records.reduce((sum, each) => sum + packedBytes(each), 0);
      expect(readPackedRecords(packRecords(records, total))).toEqual(records.map(unpackedRecord));
    }),
    { seed, numRuns: 30 },
  );
});
