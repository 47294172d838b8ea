import type { Hlc } from '@shanghai/replication';
import { expect, test } from 'vitest';
import { MapStore } from '../../test/core-map-store.js';
import { readLogRecord, splitLogRecords } from '../apply/log-record-codec.js';
import { ProducerTable } from '../apply/producer-table.js';
import { StreamTable } from '../apply/stream-table.js';
import type { SharedConsumer } from '../apply/upkeep-entry.js';
import { encodeUpkeepEntry, firstBegin, type UpkeepEntry, upkeepLogId } from '../apply/upkeep-entry.js';
import { UpkeepFold } from '../apply/upkeep-fold.js';
import { WriteSet } from '../apply/write-set.js';
import { encodeStreamEntries } from '../logs/log-file-record.js';
import { tidyUpkeepLog } from './upkeep-log.js';

type Origin = Parameters<typeof tidyUpkeepLog>[0];

/** An own group as far as the upkeep log concerns it. */
class Node {
  readonly streams = new StreamTable(new ProducerTable());
  readonly upkeep = new UpkeepFold(this.streams);
  readonly writes = new WriteSet(new MapStore().asStore());
  restored: object | undefined;
  #ms = 1;

  constructor(nodeId: number, epoch = 1) {
    this.streams.beginEpoch(nodeId, epoch);
    this.streams.publish();
  }

  append(entries: readonly { value: Uint8Array }[], logId = upkeepLogId): void {
    const records = entries.map(({ value }) => ({ key: new Uint8Array(0), value, headers: [] }));
    const firstHlc: Hlc = { ms: ++this.#ms, counter: 0 };
    const lastHlc = { ms: this.#ms, counter: records.length - 1 };
    const bytes = encodeStreamEntries(records, firstHlc);
    const append = { logId, firstHlc, lastHlc, count: records.length, bytes };
    this.streams.append(append, 1, this.writes, (run) => this.upkeep.fold(run, 0, this.writes));
    this.streams.publish();
  }

  say(...entries: UpkeepEntry[]): void {
    this.append(entries.map((entry) => ({ value: encodeUpkeepEntry(entry) })));
  }

  get origin(): Origin {
    const { streams, upkeep, restored } = this;
    const propose = async (command: {
      kind: string;
      stream: Parameters<StreamTable['trim']>[0];
      firstSequence: number;
    }) => {
      streams.trim(command.stream, command.firstSequence);
      streams.publish();
      return { type: 'done' };
    };
    const writer = {
      append: async ({ recordCount, recordBytes }: { recordCount: number; recordBytes: Uint8Array }) =>
        this.append(splitLogRecords(recordBytes, recordCount).map(readLogRecord)),
    };
    return { replica: { machine: { streams, upkeep, restored }, propose }, writer } as unknown as Origin;
  }

  get kept(): number {
    return this.streams.visibleOf(upkeepLogId).reduce((sum, one) => sum + one.lastSequence - one.firstSequence + 1, 0);
  }
}

const consumer = (name: string, sequence: number, generation = 1): UpkeepEntry => {
  const positions = [{ origin: 1, epoch: 1, sequence }];
  const said: SharedConsumer = {
    ...{ logId: 1, name, generation, committedAtMs: 5, begin: firstBegin, isDeleted: false, positions },
  };
  return { type: 'consumer', consumer: said, beginsHere: false };
};

test('enough entries that all members hold are said once more, and trimmed; what is said then is all there was', async () => {
  const node = new Node(1);
  for (let i = 1; i <= 5000; i++) node.say(consumer(`c${i % 3}`, i));
  node.say({ type: 'trim', logId: 1, positions: [{ origin: 1, epoch: 1, sequence: 7 }] });
  const before = [...node.upkeep.consumers.all()];
  await tidyUpkeepLog(node.origin, () => 4000);
  expect(node.kept).toBe(5001);
  await tidyUpkeepLog(node.origin, () => 4900);
  expect(node.kept).toBe(101 + 4);
  expect([...node.upkeep.consumers.all()]).toEqual(before);
  const later = new Node(2);
  // Whoever comes now hears the last entries only.
  for (const said of before) later.say({ type: 'consumer', consumer: said, beginsHere: false });
  expect(later.upkeep.consumers.list(1)).toEqual(node.upkeep.consumers.list(1));
  await tidyUpkeepLog(node.origin, () => Number.MAX_SAFE_INTEGER);
  expect(node.kept).toBe(105);
});

test('a restored node says what it was restored with in its first epoch, once', async () => {
  const node = new Node(1);
  node.say(consumer('a', 3));
  node.restored = {};
  await tidyUpkeepLog(node.origin, () => 0);
  expect(node.kept).toBe(1);
  node.streams.beginEpoch(1, 1_048_577);
  node.streams.publish();
  await tidyUpkeepLog(node.origin, () => 0);
  expect(node.kept).toBe(2);
  await tidyUpkeepLog(node.origin, () => 0);
  expect(node.kept).toBe(2);
});

test('what is trimmed by hand is not read, whether it is there already or comes later', () => {
  const node = new Node(1);
  node.append(
    Array.from({ length: 5 }, () => ({ value: Buffer.from('x') })),
    1,
  );
  node.say({
    type: 'trim',
    logId: 1,
    positions: [
      { origin: 1, epoch: 1, sequence: 3 },
      { origin: 2, epoch: 1, sequence: 9 },
    ],
  });
  expect(node.streams.visible({ logId: 1, origin: 1, epoch: 1 })).toMatchObject({ firstSequence: 4, lastSequence: 5 });
  const stream = { logId: 1, origin: 2, epoch: 1 };
  const run = { stream, firstSequence: 1, count: 6, lastHlc: { ms: 1, counter: 5 }, bytes: new Uint8Array(0) };
  node.streams.receive(run);
  expect(node.streams.get(stream)).toMatchObject({ firstSequence: 7, lastSequence: 6 });
  node.streams.receive({ ...run, firstSequence: 7 });
  expect(node.streams.get(stream)).toMatchObject({ firstSequence: 10, lastSequence: 12 });
});
