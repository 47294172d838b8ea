import type { LogCatalogueEntry } from '../apply/catalogue.js';
import { firstDataGroup } from '../apply/catalogue.js';
import type { LogCounters } from '../apply/log-table.js';
import { ownGroup } from '../apply/own-group.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { ServerError } from '../requests/server-error.js';
import type { SlotRouter } from '../routing/slot-router.js';

/** A log as a request meets it: its catalogue entry, its group's copy here, its counters there. */
export interface KnownLog {
  readonly entry: LogCatalogueEntry;
  readonly replica: Replica;
  readonly counters: LogCounters;
}

/** Finds logs of groups that nodes share by their names in what this node has of the catalogue and of the groups. */
export class KnownLogs {
  readonly #system: SystemGroup;
  readonly #router: SlotRouter;

  constructor(system: SystemGroup, router: SlotRouter) {
    this.#system = system;
    this.#router = router;
  }

  /** `undefined` also while a log is in the catalogue and not yet, or no longer, in its group. */
  find(name: string): KnownLog | undefined {
    const entry = this.#system.replica.machine.catalogue.log(name);
    if (entry === undefined || entry.groupId === ownGroup) return undefined;
    const replica = this.#router.replica(entry.groupId);
    const counters = replica.machine.logs.get(entry.logId);
    return counters === undefined ? undefined : { entry, replica, counters };
  }

  /** As `find`, or throws `NOT_FOUND`. */
  known(name: string): KnownLog {
    const log = this.find(name);
    if (log === undefined) throw unknownLog(name);
    return log;
  }

  /** A log as of now: what this node has of the catalogue, and of the group, may be behind. */
  async now(name: string): Promise<KnownLog> {
    await this.catchUp();
    return this.known(name);
  }

  /** Where the catalogue has it here; throws `NOT_FOUND`. */
  catalogued(name: string): LogCatalogueEntry {
    const entry = this.#system.replica.machine.catalogue.log(name);
    if (entry === undefined) throw unknownLog(name);
    return entry;
  }

  /** Resolves when this node has every log that was acknowledged before the call. */
  async catchUp(): Promise<void> {
    await this.#system.replica.readBarrier(linearizable);
    await this.#router.replica(firstDataGroup).readBarrier(linearizable);
  }
}

/** A read that sees everything acknowledged before it. */
export const linearizable = { keyspace: '', level: 'linearizable' } as const;

/** Where a log's files lie. */
export function placeOf({ entry }: KnownLog): { readonly logId: number; readonly origin: number } {
  return { logId: entry.logId, origin: entry.origin };
}

/** `NOT_FOUND`. */
export function unknownLog(name: string): ServerError {
  return new ServerError('NOT_FOUND', `there is no log '${name}'`, { details: { log: name } });
}
