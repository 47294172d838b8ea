import { describe, expect, it } from 'vitest';
import { createTestClient, settle } from '../src/testing/test-client.js';

async function withLog(...values: string[]) {
  const test = createTestClient();
  await test.client.log.create('l');
  if (values.length > 0) await test.client.log.append('l', values);
  return test;
}

const at = (sequence: number) => [{ origin: 0, epoch: 1, sequence }];

describe('consumers', () => {
  it('keep positions, merged by maximum, until a seek begins a new generation', async () => {
    const { client } = await withLog('a', 'b', 'c');
    const { consumers } = client.log;
    expect(await consumers.get('l', 'c')).toBeUndefined();
    expect(await consumers.commit('l', 'c', 2)).toEqual({ generation: 1, positions: at(2) });
    expect(await consumers.commit('l', 'c', [{ sequence: 1 }], { generation: 1 })).toMatchObject({ positions: at(2) });
    expect(await consumers.seek('l', 'c', 'end', { dryRun: true })).toMatchObject({ generation: 1, positions: at(3) });
    const sought = await consumers.seek('l', 'c', 'start');
    expect(sought).toEqual({ generation: 2, positions: at(0), earlierPositions: at(2) });
    await expect(consumers.commit('l', 'c', 3, { generation: 1 })).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { generation: 2 },
    });
    await consumers.commit('l', 'other', 3);
    expect((await consumers.list('l')).map(({ name, lags }) => [name, lags[0]?.entries])).toEqual([
      ['c', 3],
      ['other', 0],
    ]);
    expect((await consumers.list('l', 'o')).length).toBe(1);
    await consumers.delete('l', 'c');
    expect(await consumers.get('l', 'c')).toBeUndefined();
    await expect(consumers.get('no', 'c')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(consumers.commit('l', 'a/b', 1)).rejects.toThrow(RangeError);
  });

  it('commit again when an answer is lost; a seek is not sent again', async () => {
    const test = await withLog('a', 'b');
    const { client, transport } = test;
    let lost = 0;
    transport.fate = (each) => {
      if (each.kind !== 'unary' || lost > 0) return 'deliver';
      lost++;
      return 'lose-answer';
    };
    expect(await settle(test, client.log.consumers.commit('l', 'c', 2))).toMatchObject({ positions: at(2) });
    lost = 0;
    const seek = settle(test, client.log.consumers.seek('l', 'c', 'start'));
    await expect(seek).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect((await client.log.consumers.get('l', 'c'))?.generation).toBe(2);
  });

  it('see what was trimmed, and read from the last entries on', async () => {
    const { client } = await withLog('a', 'b', 'c');
    expect(await client.log.trim('l', 3)).toEqual({ firstSequence: 3, lastSequence: 3 });
    await client.log.append('l', ['d', 'e']);
    expect((await client.log.read('l', { from: { last: 2 } })).entries.map(({ sequence }) => sequence)).toEqual([4, 5]);
  });
});

describe('a producer', () => {
  const values = async (client: Awaited<ReturnType<typeof withLog>>['client']) =>
    (await client.log.read('l')).entries.map(({ value }) => Buffer.from(value).toString());

  it('numbers its records, and appends each once although answers are lost', async () => {
    const test = await withLog();
    const { client, transport } = test;
    const producer = await client.log.openProducer('l', { producerId: 7 });
    expect([producer.epoch, producer.nextSequence]).toEqual([1, 1]);
    let seen = 0;
    transport.fate = (each) =>
      each.kind === 'unary' && each.method === 'appendLog' && seen++ % 3 === 1 ? 'lose-answer' : 'deliver';
    const appended = Array.from({ length: 20 }, (_, i) => producer.append(`${i}`));
    await settle(test, Promise.all(appended));
    expect(await values(client)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    expect(producer.nextSequence).toBe(21);
  });

  it('that begins anew shuts the earlier one out; one that resumes is told how far it had come', async () => {
    const { client } = await withLog();
    const first = await client.log.openProducer('l', { producerId: 7 });
    await first.append(['a', 'b']);
    const resumed = await client.log.openProducer('l', { producerId: 7, resume: true });
    expect([resumed.epoch, resumed.nextSequence]).toEqual([1, 3]);
    await resumed.append('c');
    const anew = await client.log.openProducer('l', { producerId: 7 });
    expect([anew.epoch, anew.nextSequence]).toEqual([2, 1]);
    await anew.append('d');
    await expect(first.append('x')).rejects.toMatchObject({ code: 'CONFLICT', details: { producerEpoch: 2 } });
    await expect(first.resume()).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await values(client)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('goes on after a failure once it has asked where it stands', async () => {
    const { client } = await withLog('x');
    const producer = await client.log.openProducer('l', { producerId: 7 });
    await expect(producer.append('a', { expectedLastSequence: 9 })).rejects.toMatchObject({ code: 'CONFLICT' });
    await expect(producer.append('b')).rejects.toMatchObject({ code: 'CONFLICT', details: { expectedSequence: 1 } });
    await producer.resume();
    expect(await producer.append('c')).toMatchObject({ firstSequence: 2, duplicate: false });
  });
});
