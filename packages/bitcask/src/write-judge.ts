import { BitcaskError } from './bitcask-error.js';
import { createRecordFields, readRecord, recordFlags } from './core/record.js';
import { emptyPosition } from './core/snapshot-cursor.js';
import type { StoreIndex } from './core/store-index.js';
import { RecordMoved, type RecordReader } from './record-reader.js';
import type { Guard, StagingChunk, WriteEntry } from './staging-chunk.js';

/** What stands for a key at some place in the order of writes. */
interface Standing {
  /** 0 = nothing. */
  readonly sequence: number;
  readonly expiresAtMs: number;
}

const nothing: Standing = { sequence: 0, expiresAtMs: 0 };

/**
 * Judges the conditional writes and deletes of one turn in the order of the calls: against the key directory, and
 * against the entries of the turn that come before and are not in the directory yet. Those are looked through only
 * when somebody asks, so that plain puts pay nothing.
 */
export class WriteJudge {
  readonly #index: StoreIndex;
  readonly #reader: RecordReader;
  readonly #chunks: readonly StagingChunk[];
  readonly #turn = new Map<string, Standing>();
  /** The next entry of the turn to be looked at. */
  #chunkAt = 0;
  #entryAt = 0;

  /** `chunks`: the turn's. Entries before the one that is judged are stamped, or settled otherwise. */
  constructor(index: StoreIndex, reader: RecordReader, chunks: readonly StagingChunk[]) {
    this.#index = index;
    this.#reader = reader;
    this.#chunks = chunks;
  }

  /** Decides on an entry with a guard; fails or skips it where it is not to be written, and sets `wasLive`. */
  async judge(chunk: StagingChunk, entry: WriteEntry, guard: Guard, lastSequence: number): Promise<void> {
    const fields = createRecordFields();
    readRecord(chunk.view, entry.start, fields);
    const key = chunk.bytes.subarray(fields.keyStart, fields.valueStart);
    const standing = this.#inTurn(entry, key) ?? (await this.#inDirectory(key));
    entry.wasLive = standing.sequence !== 0 && (standing.expiresAtMs === 0 || standing.expiresAtMs > guard.horizonMs);
    const current = entry.wasLive ? standing.sequence : 0;
    if (guard.revision !== undefined && guard.revision !== current) {
      entry.fail(conditionFailed(guard.revision, current));
    } else if (guard.kind === 'delete' && standing.sequence === 0) {
      entry.skip(lastSequence);
    }
  }

  #inTurn(judged: WriteEntry, key: Uint8Array): Standing | undefined {
    this.#readUpTo(judged);
    return this.#turn.size === 0 ? undefined : this.#turn.get(textOf(key));
  }

  #readUpTo(judged: WriteEntry): void {
    for (;;) {
      const chunk = this.#chunks[this.#chunkAt] as StagingChunk;
      const entry = chunk.entries[this.#entryAt];
      if (entry === judged) return;
      if (entry === undefined) {
        this.#chunkAt++;
        this.#entryAt = 0;
        continue;
      }
      if (entry.state !== 'failed' && entry.state !== 'skipped') this.#read(chunk, entry);
      this.#entryAt++;
    }
  }

  #read(chunk: StagingChunk, entry: WriteEntry): void {
    const fields = createRecordFields();
    for (let at = entry.start; at < entry.end; at += fields.recordBytes) {
      readRecord(chunk.view, at, fields);
      const gone = (fields.flags & recordFlags.tombstone) !== 0;
      this.#turn.set(
        textOf(chunk.bytes.subarray(fields.keyStart, fields.valueStart)),
        gone ? nothing : { sequence: fields.sequence, expiresAtMs: fields.expiresAtMs },
      );
    }
  }

  async #inDirectory(key: Uint8Array): Promise<Standing> {
    const position = emptyPosition();
    for (let attempt = 0; ; attempt++) {
      if (!this.#index.keydir.get(key, position)) return nothing;
      if (!position.expires) return { sequence: position.sequence, expiresAtMs: 0 };
      try {
        const { fields } = await this.#reader.read(position);
        return { sequence: fields.sequence, expiresAtMs: fields.expiresAtMs };
      } catch (error) {
        if (!(error instanceof RecordMoved) || attempt === 3) throw error;
      }
    }
  }
}

function conditionFailed(expected: number, current: number): BitcaskError {
  const wanted = expected === 0 ? 'no live key' : `revision ${expected}`;
  const found = current === 0 ? 'there is none' : `it has ${current}`;
  return new BitcaskError(
    'CONDITION_FAILED',
    `the write asks for ${wanted}, ${found}; read the key again and decide anew`,
    { details: { expected, current } },
  );
}

/** Keys as map keys: one character a byte. */
function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
