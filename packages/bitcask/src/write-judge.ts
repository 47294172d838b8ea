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
 * Judges conditional writes and deletes in the order of the calls: against the key directory, and against the entries
 * of the same turn that come before and are not in the directory yet. Those are looked through only when somebody
 * asks, so that plain puts pay nothing.
 */
export class WriteJudge {
  readonly #index: StoreIndex;
  readonly #reader: RecordReader;
  readonly #turn = new Map<string, Standing>();
  readonly #unread: { chunk: StagingChunk; entry: WriteEntry }[] = [];

  constructor(index: StoreIndex, reader: RecordReader) {
    this.#index = index;
    this.#reader = reader;
  }

  /** Tells of an entry that was stamped in this turn. */
  stamped(chunk: StagingChunk, entry: WriteEntry): void {
    this.#unread.push({ chunk, entry });
  }

  /** Decides on an entry with a guard; sets `outcome` where it is not to be written, and `wasLive`. */
  async judge(chunk: StagingChunk, entry: WriteEntry, guard: Guard, lastSequence: number): Promise<void> {
    const fields = createRecordFields();
    readRecord(chunk.view, entry.start, fields);
    const key = chunk.bytes.subarray(fields.keyStart, fields.valueStart);
    const standing = this.#inTurn(key) ?? (await this.#inDirectory(key));
    entry.wasLive = standing.sequence !== 0 && (standing.expiresAtMs === 0 || standing.expiresAtMs > guard.horizonMs);
    const current = entry.wasLive ? standing.sequence : 0;
    if (guard.revision !== undefined && guard.revision !== current) {
      entry.outcome = { kind: 'failed', error: conditionFailed(guard.revision, current) };
    } else if (guard.kind === 'delete' && standing.sequence === 0) {
      entry.outcome = { kind: 'skipped', sequence: lastSequence, wasLive: false };
    }
  }

  #inTurn(key: Uint8Array): Standing | undefined {
    for (const { chunk, entry } of this.#unread) this.#read(chunk, entry);
    this.#unread.length = 0;
    return this.#turn.size === 0 ? undefined : this.#turn.get(textOf(key));
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
