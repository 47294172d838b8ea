import { advanceHlc } from '@shanghai/replication';
import { type EntryStoreSubject, entryStoreContract } from '@shanghai/replication/testing';
import { test } from 'vitest';
import { encodeLogRecords } from '../src/apply/log-record-codec.js';
import { encodeStreamEntries } from '../src/logs/log-file-record.js';
import type { LogSettings } from '../src/logs/log-requests.js';
import type { OriginParts } from '../src/replication/multi-master.js';
import { createFaultDisk, createManualClock, openTestNode, request } from './core-harness.js';

const settings: LogSettings = {
  ...{ mode: 'multi-master', acknowledgement: 'local', cleanupPolicy: 'delete' },
  ...{ retentionMs: 0, retentionBytes: 0 },
};
const noBytes = new Uint8Array(0);

/** The store of a whole node, without others. */
async function subjectOn(
  disk: ReturnType<typeof createFaultDisk>,
  clock: ReturnType<typeof createManualClock>,
): Promise<EntryStoreSubject> {
  let tell: (parts: OriginParts) => void = () => undefined;
  const begun = new Promise<OriginParts>((resolve) => {
    tell = resolve;
  });
  const node = await openTestNode(disk, clock, { replication: { onBegun: (parts) => tell(parts) } });
  await node.logs.create('events', settings, request());
  const { store, writer, replica } = await begun;
  // The node asks for its epoch when it has begun.
  while (store.ownEpoch() === 0) await clock.advance(1);
  const recordOf = (value: Uint8Array) => ({ key: noBytes, value, headers: [] });
  return {
    store,
    followed: advanceHlc({ ms: clock.nowMs() + 9_000, counter: 0 }, 1),
    append: async (logId, data) => {
      const recordBytes = encodeLogRecords(data.map(recordOf));
      return (await writer.append({ logId, recordCount: data.length, recordBytes })).firstSequence;
    },
    trim: async (stream, firstSequence) => {
      await replica.propose({ kind: 'originTrim', stream, firstSequence });
    },
    payloadOf: (hlc, data) => encodeStreamEntries([recordOf(data)], hlc).subarray(4),
    reopen: async () => {
      const crashed = disk.restart('all', 1);
      await node.close(0).catch(() => undefined);
      return subjectOn(crashed, clock);
    },
    close: async () => {
      await node.close(0);
    },
  };
}

for (const { name, run } of entryStoreContract) {
  test(`the store of a node: ${name}`, () =>
    run(() => subjectOn(createFaultDisk({ seed: 1 }), createManualClock(1_000_000))));
}
