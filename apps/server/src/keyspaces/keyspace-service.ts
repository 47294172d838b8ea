import { maxVerdictTargets, versionOf } from '@shanghai/replication';
import { type KeyspaceEntry, wasDeleted } from '../apply/catalogue.js';
import type { FoldStore } from '../apply/fold-store.js';
import { keyspaceLogId } from '../apply/keyspace-log.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { MultiMaster } from '../replication/multi-master.js';
import type { Gate } from '../requests/gate.js';
import { checkCount, checkKeyspace, invalidRequest } from '../requests/request-checks.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import type {
  ConflictPage,
  HeldPage,
  KeyspaceDescription,
  KeyspaceMode,
  KeyspaceRequests,
  KeyspaceTotals,
  Verdict,
} from './keyspace-requests.js';
import type { MultiMasterKeys } from './multi-master-keys.js';

/** What it stands on. */
export interface KeyspaceServiceParts {
  readonly system: SystemGroup;
  readonly multiMaster: MultiMaster;
  readonly keys: MultiMasterKeys;
  readonly gate: Gate;
}

const defaultLimit = 100;
const maxLimit = 1000;

/** Keyspaces at this node. */
export class KeyspaceService implements KeyspaceRequests {
  readonly #parts: KeyspaceServiceParts;

  constructor(parts: KeyspaceServiceParts) {
    this.#parts = parts;
  }

  async create(name: string, mode: KeyspaceMode, context: RequestContext): Promise<KeyspaceDescription> {
    const { gate, system } = this.#parts;
    gate.enter(context);
    checkKeyspace(name);
    if (name === '' && mode === 'multi-master') {
      throw invalidRequest("the keyspace with the name '' is there from the start, in mode quorum; give it a name");
    }
    const known = system.catalogue.keyspace(name);
    if (known === undefined || modeOf(known) !== mode) {
      const again = system.catalogue.deletedKeyspace(name) === undefined ? {} : { again: true };
      await system.change({ type: 'createKeyspace', name, ...(mode === 'quorum' ? again : { mode }) });
    }
    const entry = system.catalogue.keyspace(name);
    if (entry === undefined)
      throw new ServerError('CLUSTER_ERROR', `keyspace '${name}' was made; this node has not heard of it yet`);
    if (modeOf(entry) !== mode)
      throw new ServerError('CONFLICT', `keyspace '${name}' exists, and is of mode ${modeOf(entry)}`);
    return this.#describe(entry);
  }

  async delete(name: string, context: RequestContext): Promise<void> {
    const { gate, system } = this.#parts;
    gate.enter(context);
    checkKeyspace(name);
    if (system.catalogue.keyspace(name) === undefined && system.catalogue.deletedKeyspace(name) !== undefined) {
      throw new ServerError('NOT_FOUND', wasDeleted(name));
    }
    await system.change({ type: 'deleteKeyspace', name });
  }

  list(context: RequestContext): readonly KeyspaceDescription[] {
    this.#parts.gate.enter(context);
    return this.#parts.system.catalogue.keyspaces().map((entry) => this.#describe(entry));
  }

  conflicts(keyspace: string, limit: number, context: RequestContext): ConflictPage {
    this.#parts.gate.enter(context);
    const fold = this.#foldOf(this.#entry(keyspace));
    const conflicts = (fold?.losses() ?? []).slice(0, limitOf(limit));
    return { conflicts, found: fold?.lossesFound ?? 0 };
  }

  held(keyspace: string, limit: number, context: RequestContext): HeldPage {
    this.#parts.gate.enter(context);
    const all = this.#foldOf(this.#entry(keyspace))?.allHeld() ?? [];
    const nowMs = this.#parts.multiMaster.begun?.replica.nowMs() ?? 0;
    const entries = all.slice(0, limitOf(limit)).map((entry) => {
      const version = versionOf(entry.stamp, entry.operation);
      return { entry, version, aheadMs: Math.max(0, entry.stamp.hlc.ms - nowMs) };
    });
    return { entries, held: all.length };
  }

  totals(): KeyspaceTotals {
    const folds = this.#parts.multiMaster.begun?.replica.machine.keyspaces;
    let [conflictsFound, held] = [0, 0];
    for (const id of folds?.ids() ?? []) {
      conflictsFound += folds?.get(id)?.lossesFound ?? 0;
      held += folds?.get(id)?.allHeld().length ?? 0;
    }
    const { folded = 0, unreadable = 0 } = folds ?? {};
    return { conflictsFound, held, folded, unreadable, stableAgeMs: this.#stableAgeMs() };
  }

  #stableAgeMs(): number | undefined {
    const { system, multiMaster } = this.#parts;
    const ids = system.catalogue.keyspaces().filter(({ mode }) => mode === 'multi-master');
    return multiMaster.oldestAgeMs(
      ids.map(({ id }) => keyspaceLogId(id)),
      'stable',
    );
  }

  async giveVerdict(verdict: Verdict, context: RequestContext): Promise<number> {
    this.#parts.gate.enter(context);
    const { keyspace, decision, origin, epoch, firstSequence, lastSequence } = verdict;
    for (const [name, number] of Object.entries({ origin, epoch, firstSequence, lastSequence }))
      checkCount(name, number, 1);
    if (lastSequence < firstSequence) {
      throw invalidRequest(`the last sequence, ${lastSequence}, is before the first, ${firstSequence}; swap them`);
    }
    const entry = this.#entry(keyspace);
    const isMeant = ({ stamp }: { stamp: { origin: number; epoch: number; sequence: number } }) =>
      stamp.origin === origin &&
      stamp.epoch === epoch &&
      stamp.sequence >= firstSequence &&
      stamp.sequence <= lastSequence;
    const meant = (this.#foldOf(entry)?.allHeld() ?? []).filter(isMeant);
    if (meant.length === 0) {
      throw new ServerError(
        'NOT_FOUND',
        `this node holds none of these entries of keyspace '${keyspace}'; see what it holds`,
      );
    }
    const targets = meant.map(({ stamp, operation }) => ({ sequence: stamp.sequence, key: operation.key }));
    const parts = await this.#parts.multiMaster.ready();
    await this.#parts.keys.append(entry.id, parts, (seen) => {
      const some = [];
      for (let at = 0; at < targets.length; at += maxVerdictTargets) {
        some.push({
          ...({ type: 'verdict', seen, decision, origin, epoch } as const),
          targets: targets.slice(at, at + maxVerdictTargets),
        });
      }
      return some;
    });
    return meant.length;
  }

  #entry(keyspace: string): KeyspaceEntry {
    checkKeyspace(keyspace);
    const entry = this.#parts.system.catalogue.keyspace(keyspace);
    if (entry === undefined) throw new ServerError('NOT_FOUND', `there is no keyspace '${keyspace}'`);
    if (entry.mode === 'multi-master') return entry;
    throw new ServerError(
      'UNSUPPORTED',
      `keyspace '${keyspace}' is of mode quorum: its writes have one order, and no conflicts`,
    );
  }

  #foldOf({ id }: KeyspaceEntry): FoldStore | undefined {
    return this.#parts.multiMaster.begun?.replica.machine.keyspaces.get(id);
  }

  #describe(entry: KeyspaceEntry): KeyspaceDescription {
    const fold = entry.mode === undefined ? undefined : this.#foldOf(entry);
    return {
      name: entry.name,
      keyspaceId: entry.id,
      mode: modeOf(entry),
      conflictsListed: fold?.losses().length ?? 0,
      conflictsFound: fold?.lossesFound ?? 0,
      held: fold?.allHeld().length ?? 0,
    };
  }
}

function modeOf({ mode }: KeyspaceEntry): KeyspaceMode {
  return mode ?? 'quorum';
}

function limitOf(limit: number): number {
  checkCount('limit', limit, 0);
  return limit === 0 ? defaultLimit : Math.min(limit, maxLimit);
}
