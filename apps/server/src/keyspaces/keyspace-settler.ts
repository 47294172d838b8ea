/**
 * Lets the keyspaces of a node forget what all members have, and fold what was held, as time goes by: once a second it looks
 * whether there is something to do, and proposes that to the own group.
 */
import type { Clock, Timer } from '@shanghai/env';
import { compareHlc, earlierHlc, type Hlc } from '@shanghai/replication';
import { dueKey, keyOfDue, keyOfRow, rowKey } from '../apply/keyspace-keys.js';
import { keyspaceLogId, keyspaceOfLog } from '../apply/keyspace-log.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { MultiMaster, OriginParts } from '../replication/multi-master.js';

/** What it stands on. */
export interface KeyspaceSettlerParts {
  readonly system: SystemGroup;
  readonly multiMaster: MultiMaster;
  readonly clock: Clock;
  /** Default 1 s. */
  readonly intervalMs?: number;
}

const defaultIntervalMs = 1000;

/** Rows that one command settles. */
const maxKeys = 500;

/** Rounds of commands for one keyspace at a time. */
const maxRounds = 20;

/** As `maxAheadMs` of the fold. */
const maxAheadMs = 10_000;

const noKey = new Uint8Array(0);

/** The settler of one node. */
export class KeyspaceSettler {
  readonly #parts: KeyspaceSettlerParts;
  /** Of those that were deleted nothing is left. */
  readonly #purged = new Set<number>();
  #timer: Timer | undefined;
  #round: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: KeyspaceSettlerParts) {
    this.#parts = parts;
  }

  start(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.setTimer(this.#parts.intervalMs ?? defaultIntervalMs, () => {
      this.#round = this.settle()
        .catch(() => undefined)
        .finally(() => this.start());
    });
  }

  /** Looks once. Rejects as a proposal does. */
  async settle(): Promise<void> {
    const origin = this.#parts.multiMaster.begun;
    if (origin === undefined) return;
    await this.#purge(origin);
    for (const { id, mode } of this.#parts.system.catalogue.keyspaces()) {
      if (mode !== 'multi-master') continue;
      await this.#foldHeld(id, origin);
      await this.#giveUpRows(id, origin);
      await this.#settleRows(id, origin);
    }
  }

  /** Resolves when nothing of it is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#round;
  }

  async #foldHeld(keyspaceId: number, { replica }: OriginParts): Promise<void> {
    const first = replica.machine.keyspaces.get(keyspaceId)?.firstHeld();
    // Any command folds what its time has come to.
    if (first !== undefined && first.hlc.ms <= replica.nowMs() + maxAheadMs) await replica.advanceTime();
  }

  /** The rows of keyspaces that were deleted. */
  async #purge({ replica }: OriginParts): Promise<void> {
    for (const logId of replica.machine.streams.droppedLogs()) {
      const keyspaceId = keyspaceOfLog(logId);
      if (keyspaceId === undefined || this.#purged.has(keyspaceId)) continue;
      for (let round = 0; round < maxRounds && !this.#isStopped; round++) {
        const keys = await rowsLeft(keyspaceId, replica);
        if (keys.length === 0) {
          this.#purged.add(keyspaceId);
          break;
        }
        await replica.propose({ kind: 'keyspacePurge', keyspaceId, keys });
      }
    }
  }

  /** Rows of a node that is gone for good come to no end: what came of them goes, unless others send theirs first. */
  async #giveUpRows(keyspaceId: number, { replica }: OriginParts): Promise<void> {
    const { takeover } = replica.machine.keyspaces.get(keyspaceId)?.state() ?? {};
    const { nodes } = this.#parts.system.catalogue;
    if (takeover === undefined || nodes.some(({ nodeId }) => nodeId === takeover.giving.origin)) return;
    const { giving } = takeover;
    const all = { start: rowKey(keyspaceId, noKey), end: rowKey(keyspaceId + 1, noKey), keysOnly: true, horizonMs: 0 };
    let keys: Uint8Array[] = [];
    for await (const { key } of replica.store.range(all)) {
      keys.push(Uint8Array.from(keyOfRow(key)));
      if (keys.length < maxKeys) continue;
      await replica.propose({ kind: 'keyspaceClean', keyspaceId, giving, isLast: false, keys });
      if (this.#isStopped) return;
      keys = [];
    }
    await replica.propose({ kind: 'keyspaceClean', keyspaceId, giving, isLast: true, keys });
  }

  async #settleRows(keyspaceId: number, origin: OriginParts): Promise<void> {
    const { replica } = origin;
    for (let round = 0; round < maxRounds && !this.#isStopped; round++) {
      const stable = this.#stable(keyspaceId, origin);
      if (stable === undefined) return;
      const keys = await dueKeys(keyspaceId, stable, origin);
      if (keys.length === 0) return;
      await replica.propose({ kind: 'keyspaceSettle', keyspaceId, stable, keys });
      if (keys.length < maxKeys) return;
    }
  }

  /** Up to where every member holds everything, less what this node holds back itself. */
  #stable(keyspaceId: number, origin: OriginParts): Hlc | undefined {
    const stable = this.#parts.multiMaster.stable(keyspaceLogId(keyspaceId), origin);
    const held = origin.replica.machine.keyspaces.get(keyspaceId)?.firstHeld();
    if (stable === undefined || held === undefined || compareHlc(stable, held.hlc) < 0) return stable;
    return earlierHlc(stable, { ms: held.hlc.ms - 1, counter: 0xffff });
  }
}

/** Keys of the store. */
async function rowsLeft(keyspaceId: number, { store }: OriginParts['replica']): Promise<Uint8Array[]> {
  const earliest = { ms: 0, counter: 0 };
  const keys: Uint8Array[] = [];
  for (const [start, end] of [
    [rowKey(keyspaceId, noKey), rowKey(keyspaceId + 1, noKey)],
    [dueKey(keyspaceId, earliest, noKey), dueKey(keyspaceId + 1, earliest, noKey)],
  ] as const) {
    const limit = maxKeys - keys.length;
    if (limit === 0) break;
    for await (const { key } of store.range({ start, end, limit, keysOnly: true, horizonMs: 0 })) {
      keys.push(Uint8Array.from(key));
    }
  }
  return keys;
}

async function dueKeys(keyspaceId: number, stable: Hlc, { replica }: OriginParts): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  const start = dueKey(keyspaceId, { ms: 0, counter: 0 }, noKey);
  const end = dueKey(keyspaceId, { ms: stable.ms + 1, counter: 0 }, noKey);
  for await (const { key } of replica.store.range({ start, end, limit: maxKeys, keysOnly: true, horizonMs: 0 })) {
    keys.push(keyOfDue(key));
  }
  return keys;
}
