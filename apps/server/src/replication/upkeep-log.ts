/**
 * The upkeep log at this node (apply/upkeep-entry.ts): how it is written, and kept short.
 *
 * Its entries are joined, so what they say together can be said again by few: when enough of them have gathered that all members hold,
 * a node says everything it knows once more, in entries of its own, and trims what came before. Whoever comes later hears
 * these. So does whoever joins a restored cluster, of which every node begins with what it was restored with.
 */

import { encodeLogRecords } from '../apply/log-record-codec.js';
import type { StreamCounters } from '../apply/stream-table.js';
import { encodeUpkeepEntry, type UpkeepEntry, upkeepLogId } from '../apply/upkeep-entry.js';
import type { OriginParts } from './multi-master.js';

/** Entries beyond those that say everything once, before it is said again. */
const spareEntries = 4096;

/** Beyond so many a member that is away is not waited for: it hears what is said again. */
const maxEntries = 262_144;

const entriesPerAppend = 500;

const noBytes = new Uint8Array(0);

/** Resolves when the entries are durable and folded here. */
export async function appendUpkeep(
  { writer }: Pick<OriginParts, 'writer'>,
  entries: readonly UpkeepEntry[],
): Promise<void> {
  const records = entries.map((entry) => ({ key: noBytes, value: encodeUpkeepEntry(entry), headers: [] }));
  await writer.append({ logId: upkeepLogId, recordCount: records.length, recordBytes: encodeLogRecords(records) });
}

/** Says everything once more, where that is due. `heldByAll`: the last sequence of a stream that every member holds. */
export async function tidyUpkeepLog(
  origin: Pick<OriginParts, 'writer' | 'replica'>,
  heldByAll: (stream: StreamCounters) => number,
): Promise<void> {
  const { machine } = origin.replica;
  const streams = machine.streams.visibleOf(upkeepLogId);
  const { own } = machine.streams;
  if (own.epoch === 0) return;
  const isNew =
    machine.restored !== undefined &&
    streams.every(({ epoch, origin: from }) => epoch !== own.epoch || from !== own.origin);
  const entries = streams.reduce((sum, { firstSequence, lastSequence }) => sum + lastSequence - firstSequence + 1, 0);
  const isTooLong = entries > maxEntries;
  const ends = streams.map((stream) => {
    const end = isTooLong ? stream.lastSequence : Math.min(stream.lastSequence, heldByAll(stream));
    return { stream, end, entries: Math.max(0, end - stream.firstSequence + 1) };
  });
  const trimmable = ends.reduce((sum, one) => sum + one.entries, 0);
  const isDue = trimmable > spareEntries && trimmable > spareEntries + 4 * machine.upkeep.size;
  if (!isDue && !(isNew && machine.upkeep.size > 0)) return;
  await sayAll(origin);
  if (!isDue) return;
  for (const { stream, end } of ends) {
    if (end < stream.firstSequence) continue;
    const { logId, origin: from, epoch } = stream;
    await origin.replica.propose({
      kind: 'originTrim',
      stream: { logId, origin: from, epoch },
      firstSequence: end + 1,
    });
  }
}

async function sayAll(origin: Pick<OriginParts, 'writer' | 'replica'>): Promise<void> {
  const { upkeep, streams } = origin.replica.machine;
  const all: UpkeepEntry[] = [];
  for (const consumer of upkeep.consumers.all()) all.push({ type: 'consumer', consumer, beginsHere: false });
  for (const { stream, firstSequence } of streams.floors.all()) {
    const { logId, origin: from, epoch } = stream;
    all.push({ type: 'trim', logId, positions: [{ origin: from, epoch, sequence: firstSequence - 1 }] });
  }
  for (let at = 0; at < all.length; at += entriesPerAppend) {
    await appendUpkeep(origin, all.slice(at, at + entriesPerAppend));
  }
}
