import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { KeysInput, KeysOutput } from '../simulator/cluster/keys-model.js';
import type { BadHistory } from '../simulator/cluster/recorder.js';
import { compareRows } from './compare-replicas.js';
import { HttpStore } from './http-store.js';
import { runOf } from './leftovers.js';
import { LyingProxy } from './lying-proxy.js';
import { parseNemesisOptions, repeatCommand } from './nemesis-options.js';
import { decodeFields, encodeFields } from './protobuf-fields.js';
import { failoverTimes, gapsOf, percentile } from './report.js';
import { codeOfWrite } from './store-failure.js';
import { timelinePicture } from './timeline-picture.js';
import { TimedRecorder } from './workload.js';

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of cleanUp.splice(0).reverse()) await step();
});

test('a command line says what to do, and its run can be had again', () => {
  const intention = parseNemesisOptions(
    ['--nodes', '3', '--faults', 'disk,kill', '--seed', '5', '--lie', '--multi-master'],
    0,
  );
  if (intention.type !== 'run') throw new Error('it is to run');
  expect(intention.options).toMatchObject({
    nodes: 3,
    seconds: 60,
    faults: ['kill', 'disk'],
    seed: 5,
    lie: true,
    multiMaster: true,
  });
  const again = parseNemesisOptions(repeatCommand(intention.options).split(' ').slice(2), 0);
  expect(again).toEqual(intention);
});

test('what cannot be is refused with what can be', () => {
  for (const args of [['--nodes', '2'], ['--faults', 'rain'], ['--network', 'x'], ['--seed', '-1'], ['--wrong']]) {
    expect(parseNemesisOptions(args, 0), args.join(' ')).toMatchObject({ type: 'print', code: 2 });
  }
  expect(parseNemesisOptions(['--clean'], 0)).toEqual({ type: 'clean' });
  expect(parseNemesisOptions(['--help'], 0)).toMatchObject({ type: 'print', code: 0 });
});

test('the directory of a run says whose it is', () => {
  expect(runOf('shanghai-nemesis-4711-abcdef')).toBe(4711);
});

test('messages are encoded as the public description says', () => {
  // Its own examples: field 1 is 150; field 2 is "testing".
  expect(Buffer.from(encodeFields([[1, 150]])).toString('hex')).toBe('089601');
  expect(Buffer.from(encodeFields([[2, 'testing']])).toString('hex')).toBe('120774657374696e67');
  const message = encodeFields([
    [1, true],
    [3, 2 ** 40 + 3],
    [17, 'a'],
    [17, new Uint8Array(200)],
  ]);
  const fields = decodeFields(message);
  expect([fields.get(1), fields.get(3)]).toEqual([[1], [2 ** 40 + 3]]);
  expect(fields.get(17)?.map((value) => (value as Uint8Array).length)).toEqual([1, 200]);
  expect(() => decodeFields(message.subarray(0, message.length - 1))).toThrow(RangeError);
});

test('a failover ends with the first answer to a write that was begun after the kill', () => {
  const writes = [
    { startMs: 90, endMs: 130 },
    { startMs: 105, endMs: 900 },
    { startMs: 400, endMs: 700 },
  ];
  expect(failoverTimes([100, 5000], writes)).toEqual([600]);
  expect(gapsOf(0, 1000, writes, 150)).toEqual([
    { fromMs: 130, toMs: 700 },
    { fromMs: 700, toMs: 900 },
  ]);
  expect([percentile([3, 1, 2], 0.5), percentile([3, 1, 2], 0.99), percentile([], 0.5)]).toEqual([2, 3, 0]);
});

test('copies are the same when all of them are there, at one entry, with one checksum', () => {
  const row = (nodeId: number, appliedIndex: number, checksum: string) => ({
    groupId: 1,
    nodeId,
    role: 'follower',
    term: 1,
    appliedIndex,
    checksum,
  });
  expect(compareRows([row(1, 5, 'a'), row(2, 5, 'a')], 2).type).toBe('same');
  expect(compareRows([row(1, 5, 'a'), row(2, 6, 'b')], 2).type).toBe('apart');
  expect(compareRows([row(1, 5, 'a')], 2).type).toBe('apart');
  expect(() => compareRows([row(1, 5, 'a'), row(2, 5, 'b')], 2)).toThrow('agreement');
});

test('time that ran out says nothing of what became of a write', () => {
  expect([codeOfWrite('DEADLINE_EXCEEDED'), codeOfWrite('CLUSTER_ERROR')]).toEqual([
    'OUTCOME_UNKNOWN',
    'CLUSTER_ERROR',
  ]);
});

/** One key after another, in memory, over the same HTTP as a node. */
async function smallNode(): Promise<string> {
  const values = new Map<string, string>();
  const server: Server = createServer((incoming, answer) => {
    const key = decodeURIComponent((incoming.url ?? '').replace(/^\/kv\/|\?.*$/g, ''));
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      if (incoming.method === 'PUT') values.set(key, JSON.parse(Buffer.concat(chunks).toString()).value);
      const value = values.get(key);
      const isMissing = value === undefined;
      const error = { status: 'error', error: { code: 'NOT_FOUND', message: 'there is no such key' } };
      answer.writeHead(isMissing ? 404 : 200, { 'content-type': 'application/json' });
      answer.end(JSON.stringify(isMissing ? error : { status: 'success', data: { key, value, offset: 1 } }));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanUp.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Puts and reads one key by turns, and gives the histories that no order explains. */
async function violationsAt(address: string, recorder = new TimedRecorder()): Promise<readonly BadHistory[]> {
  const store = new HttpStore(address, 5000);
  cleanUp.push(() => store.close());
  const record = async (input: KeysInput, act: () => Promise<KeysOutput>) => {
    const call = recorder.call('family', 1, input);
    call.answered(await act());
  };
  for (let i = 0; i < 8; i++) {
    const value = `${i};`;
    await record({ type: 'write', changes: [{ type: 'put', key: 'k', value }], conditions: [] }, async () => {
      await store.put('k', value);
      return { isApplied: true, results: [{}] };
    });
    await record({ type: 'read', keys: ['k'] }, async () => ({ values: [await store.getText('k')] }));
  }
  return [...recorder.violations()];
}

test('a node that answers some reads with what was true once is found out', async () => {
  const address = await smallNode();
  expect(await violationsAt(address)).toEqual([]);
  const proxy = await LyingProxy.open(address);
  cleanUp.push(() => proxy.close());
  const recorder = new TimedRecorder();
  const [bad, ...others] = await violationsAt(proxy.address, recorder);
  expect(others).toEqual([]);
  expect(proxy.lies).toBeGreaterThan(0);
  const faults = [
    { what: 'node 1 was killed <now>', fromMs: 0, toMs: 5 },
    { what: 'nodes 2 and 3 were cut off', fromMs: 2, toMs: Number.POSITIVE_INFINITY },
  ];
  const startMs = recorder.timeOf(1) ?? 0;
  const timeOf = (position: number) => {
    const timeMs = recorder.timeOf(position);
    return timeMs === undefined ? undefined : timeMs - startMs;
  };
  const picture = timelinePicture({ title: 'a lie', bad: bad as BadHistory, timeOf, faults });
  expect(picture).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>\n$/);
  expect(picture).not.toContain('NaN');
  expect(picture).not.toContain('Infinity');
  // Both faults and every operation are there, the lie among those without a place.
  for (const what of ['node 1 was killed &lt;now&gt;', 'nodes 2 and 3 were cut off', 'no place: ', 'client 1'])
    expect(picture).toContain(what);
  const { history = [], longest = [] } = bad ?? {};
  const wholeRun = picture.split('stroke-dasharray')[0] ?? '';
  expect(wholeRun.match(/<title>/g)).toHaveLength(history.length + faults.length);
  expect(wholeRun.match(/#9fd3a4/g)).toHaveLength(longest.length);
});
