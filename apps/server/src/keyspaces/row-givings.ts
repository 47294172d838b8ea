/**
 * The sets of rows that a node gives to others, at most a few at a time: each is held from its first page to its last, or
 * until nobody has asked for a page of it for a while.
 *
 * A cursor is a number that tells them apart here (8 bytes) and the key at which the next page begins.
 */
import type { Clock, Timer } from '@shanghai/env';
import { ReplicationError, type RowsPage } from '@shanghai/replication';
import { writeU64 } from '../apply/byte-fields.js';
import { FieldReader } from '../apply/field-reader.js';
import { FoldStore } from '../apply/fold-store.js';
import type { Replica } from '../raft/replica.js';
import { RowGiving } from './row-giving.js';

const maxGivings = 8;
const idleMs = 60_000;
const handleBytes = 8;

interface Given {
  readonly handle: number;
  readonly keyspaceId: number;
  readonly giving: RowGiving;
  timer: Timer;
}

/** What one node gives. */
export class RowGivings {
  readonly #own: Replica;
  readonly #clock: Clock;
  /** The one that was asked for last at the end. */
  readonly #given: Given[] = [];
  #handles = 0;

  constructor(own: Replica, clock: Clock) {
    this.#own = own;
    this.#clock = clock;
  }

  /** See `EntryStore.rows`. Rejects with `BUSY` where the set that a cursor is of is not given any more. */
  async page(keyspaceId: number, cursor: Uint8Array, maxBytes: number): Promise<RowsPage> {
    const isFirst = cursor.length === 0;
    const given = isFirst ? await this.#begin(keyspaceId) : this.#find(keyspaceId, cursor);
    this.#touch(given);
    const { giving, handle } = given;
    const from = isFirst ? undefined : cursor.subarray(handleBytes);
    const { bytes, next } = await giving.page(this.#own.store, from, maxBytes);
    if (next === undefined) return { rows: bytes, covered: giving.covered };
    return { rows: bytes, next: cursorOf(handle, next) };
  }

  /** Gives nothing any more. */
  close(): void {
    for (const given of this.#given.splice(0)) stop(given);
  }

  #begin(keyspaceId: number): Promise<Given> {
    return this.#own.state.between((machine) => {
      const fold = machine.keyspaces.get(keyspaceId) ?? new FoldStore(keyspaceId);
      const given: Given = {
        ...{ keyspaceId, handle: ++this.#handles, giving: new RowGiving(keyspaceId, fold, machine) },
        timer: this.#clock.setTimer(idleMs, () => this.#end(given)),
      };
      this.#given.push(given);
      if (this.#given.length > maxGivings) this.#end(this.#given[0] as Given);
      return given;
    });
  }

  #find(keyspaceId: number, cursor: Uint8Array): Given {
    const handle = handleOf(cursor);
    const given = this.#given.find((one) => one.keyspaceId === keyspaceId && one.handle === handle);
    if (given === undefined) throw new ReplicationError('BUSY', 'these rows are not given any more; begin anew');
    return given;
  }

  #touch(given: Given): void {
    const at = this.#given.indexOf(given);
    if (at < 0) return;
    this.#given.splice(at, 1);
    this.#given.push(given);
    given.timer.cancel();
    given.timer = this.#clock.setTimer(idleMs, () => this.#end(given));
  }

  #end(given: Given): void {
    const at = this.#given.indexOf(given);
    if (at >= 0) this.#given.splice(at, 1);
    stop(given);
  }
}

function stop({ giving, timer }: Given): void {
  timer.cancel();
  giving.stop();
}

function cursorOf(handle: number, key: Uint8Array): Uint8Array {
  const cursor = new Uint8Array(handleBytes + key.length);
  writeU64(cursor, 0, handle);
  cursor.set(key, handleBytes);
  return cursor;
}

function handleOf(cursor: Uint8Array): number {
  try {
    return new FieldReader(cursor).u64();
  } catch (error) {
    throw new ReplicationError('CORRUPT', 'a cursor of rows is too short', { cause: error });
  }
}
