import type { Wal } from '@shanghai/wal';
import { type StreamId, streamKey } from '../core/entry-id.js';
import { type Hlc, laterHlc, zeroHlc } from '../core/hlc.js';
import { lastSequenceOf, type Run } from '../core/run.js';
import type { OriginMark, StreamPosition } from '../core/stream-position.js';
import { KeptStream } from './kept-stream.js';
import { decodeStoreRecord, type StoreRecord } from './store-record.js';

/** What a log holds. */
export interface RecoveredStore {
  readonly streams: Map<string, KeptStream>;
  readonly marks: Map<number, OriginMark>;
  readonly removedLogs: Set<number>;
  /** No own entry gets a stamp up to it. */
  readonly ceiling: Hlc;
  /** The highest epoch that this node is known to have had; 0 where there is none. */
  readonly lastEpoch: number;
  /** The highest stream of the log that is used. */
  readonly lastWalStream: number;
  /** Streams of the log with runs of logs that were removed. */
  readonly removedWalStreams: readonly number[];
  /** Records of stream 0. */
  readonly states: number;
}

type BareRun = Omit<Run, 'bytes'> & { readonly lsn: number; readonly length: number };

/** Reads a whole log. Rejects with `ReplicationError` `CORRUPT` where it is not one of a store, and with the log's errors. */
export async function recoverStore(wal: Wal, nodeId: number): Promise<RecoveredStore> {
  const recovery = new Recovery(nodeId);
  for await (const { lsn, stream, kind, payload } of wal.entries()) {
    recovery.take(lsn, stream, decodeStoreRecord(kind, payload));
  }
  return recovery.finish();
}

class Recovery {
  readonly #nodeId: number;
  readonly #runs = new Map<
    string,
    { readonly stream: StreamId; readonly walStream: number; readonly runs: BareRun[] }
  >();
  /** Positions name streams that may have no runs any more. */
  readonly #positions = new Map<string, StreamPosition>();
  readonly #marks = new Map<number, OriginMark>();
  readonly #removed = new Set<number>();
  #ceiling: Hlc = zeroHlc;
  #lastEpoch = 0;
  #lastWalStream = 0;
  #states = 0;

  constructor(nodeId: number) {
    this.#nodeId = nodeId;
  }

  take(lsn: number, walStream: number, record: StoreRecord): void {
    this.#lastWalStream = Math.max(this.#lastWalStream, walStream);
    if (record.type !== 'run') this.#states++;
    switch (record.type) {
      case 'run': {
        const { bytes, ...run } = record.run;
        this.#seeStream(run.stream, run.lastHlc);
        const key = streamKey(run.stream);
        const of = this.#runs.get(key) ?? { stream: run.stream, walStream, runs: [] };
        this.#runs.set(key, of);
        of.runs.push({ ...run, lsn, length: bytes.length });
        return;
      }
      case 'position': {
        const { position } = record;
        this.#seeStream(position.stream, position.lastHlc);
        const key = streamKey(position.stream);
        const known = this.#positions.get(key);
        if (known === undefined || known.firstSequence <= position.firstSequence) this.#positions.set(key, position);
        return;
      }
      case 'mark':
        this.#marks.set(record.mark.origin, record.mark);
        return;
      case 'ceiling':
        this.#ceiling = laterHlc(this.#ceiling, record.hlc);
        return;
      case 'epoch':
        this.#lastEpoch = Math.max(this.#lastEpoch, record.epoch);
        return;
      case 'removed':
        this.#removed.add(record.logId);
        return;
    }
  }

  finish(): RecoveredStore {
    const streams = new Map<string, KeptStream>();
    for (const [key, { stream, walStream, runs }] of this.#runs) {
      if (!this.#removed.has(stream.logId))
        streams.set(key, this.#stream(key, new KeptStream(stream, walStream), runs));
    }
    for (const [key, { stream }] of this.#positions) {
      if (streams.has(key) || this.#removed.has(stream.logId)) continue;
      streams.set(key, this.#stream(key, new KeptStream(stream, ++this.#lastWalStream), []));
    }
    return {
      streams,
      marks: this.#marks,
      removedLogs: this.#removed,
      removedWalStreams: [...this.#runs.values()]
        .filter(({ stream }) => this.#removed.has(stream.logId))
        .map(({ walStream }) => walStream),
      ceiling: this.#ceiling,
      lastEpoch: this.#lastEpoch,
      lastWalStream: this.#lastWalStream,
      states: this.#states,
    };
  }

  #stream(key: string, kept: KeptStream, runs: readonly BareRun[]): KeptStream {
    const position = this.#positions.get(key);
    const firstSequence = position?.firstSequence ?? 1;
    const needed = runs.filter((run) => lastSequenceOf({ ...run, bytes: noBytes }) >= firstSequence);
    // The first run may reach back before the first sequence; what is cut off is not read.
    kept.cut(Math.min(firstSequence, needed[0]?.firstSequence ?? firstSequence));
    for (const run of needed) {
      const last = lastSequenceOf({ ...run, bytes: noBytes });
      // Behind a write that failed others may have been written. None of them was said to be there.
      if (run.firstSequence > kept.lastSequence + 1 || last <= kept.lastSequence) continue;
      const firstNew = kept.lastSequence + 1;
      kept.add({ ...run, firstSequence: firstNew, count: last - firstNew + 1, bytes: noBytes }, run.lsn, run.length);
    }
    kept.cut(firstSequence);
    if (position !== undefined && position.lastSequence === kept.lastSequence)
      kept.lastHlc = laterHlc(kept.lastHlc, position.lastHlc);
    return kept;
  }

  #seeStream({ origin, epoch }: StreamId, hlc: Hlc): void {
    this.#ceiling = laterHlc(this.#ceiling, hlc);
    if (origin === this.#nodeId) this.#lastEpoch = Math.max(this.#lastEpoch, epoch);
  }
}

const noBytes = new Uint8Array(0);
