import { type Clock, invariant } from '@shanghai/env';
import { manySlots } from '../apply/command.js';
import { dataKey } from '../apply/state-keys.js';
import { decodeStoredValue } from '../apply/stored-value.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { SystemGroup } from '../raft/system-group.js';
import { requireLeader } from '../routing/require-leader.js';
import type { SlotRouter } from '../routing/slot-router.js';
import type { Gate } from './gate.js';
import type {
  KeyValueRequests,
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WatchPage,
  WatchRequest,
  WriteDone,
  WriteRequest,
} from './key-value-requests.js';
import { rangePages } from './range-pages.js';
import { decodeReadToken } from './read-token.js';
import {
  checkCount,
  checkKey,
  checkKeyspace,
  checkRange,
  checkSession,
  checkWrite,
  invalidRequest,
} from './request-checks.js';
import type { Answered, ReadContext, RequestContext, WriteContext } from './request-context.js';
import { ServerError } from './server-error.js';
import { watchPages } from './watch-pages.js';

/** A session's life beyond its last request where the caller names none. */
const defaultSessionTtlMs = 3_600_000;

/** The longest life of a session: a week. */
const maxSessionTtlMs = 7 * 24 * 3_600_000;

/** What the key-value plane stands on. */
export interface KeyValueServiceParts {
  readonly system: SystemGroup;
  readonly router: SlotRouter;
  readonly limits: NodeLimits;
  readonly gate: Gate;
  /** The group that answers requests without a key. */
  readonly firstGroup: Replica;
  readonly clock: Clock;
}

/** The key-value plane over this node's replicas. */
export class KeyValueService implements KeyValueRequests {
  readonly #parts: KeyValueServiceParts;
  readonly #keyspacesBeingMade = new Map<string, Promise<void>>();

  constructor(parts: KeyValueServiceParts) {
    this.#parts = parts;
  }

  async openSession(
    ttlMs: number,
    context: RequestContext,
  ): Promise<Answered<{ readonly sessionId: number; readonly ttlMs: number }>> {
    this.#parts.gate.enter(context);
    checkCount('session time to live', ttlMs, 0);
    const replica = this.#parts.firstGroup;
    const wanted = ttlMs === 0 ? defaultSessionTtlMs : Math.min(ttlMs, maxSessionTtlMs);
    const result = await replica.propose({ kind: 'openSession', ttlMs: wanted });
    invariant(result.type === 'session', `opening a session gave '${result.type}'`);
    return answered(replica, { sessionId: result.sessionId, ttlMs: result.ttlMs });
  }

  async get(key: Uint8Array, read: ReadContext, context: RequestContext): Promise<Answered<StoredPair | undefined>> {
    const { gate, limits, router } = this.#parts;
    gate.enter(context);
    checkKey(key, limits);
    const { replica } = router.ofKey(key, read.routed);
    if (read.level === 'session') this.#checkToken(read.token);
    const staleMs = await replica.readBarrier(read);
    const keyspaceId = this.#keyspaceId(read.keyspace) ?? (await this.#keyspaceToRead(read));
    if (keyspaceId === undefined) return answered(replica, undefined, staleMs);
    let entry = await replica.store.getEntry(dataKey(keyspaceId, key), horizon(replica));
    if (entry !== undefined && replica.isDue(entry.expiresAtMs)) {
      await replica.advanceTime();
      if (entry.expiresAtMs <= replica.machine.visible.logTimeMs) entry = undefined;
    }
    if (entry === undefined) return answered(replica, undefined, staleMs);
    const { revision, value } = decodeStoredValue(entry.value);
    return answered(replica, { key, value, revision, expiresAtMs: entry.expiresAtMs }, staleMs);
  }

  async *range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncGenerator<Answered<RangePage>> {
    const { gate, limits, firstGroup: replica } = this.#parts;
    gate.enter(context);
    checkRange(request);
    if (read.level === 'session') this.#checkToken(read.token);
    const keyspaceId = () => this.#keyspaceToRead(read);
    yield* rangePages({ replica, keyspaceId, request, read, limits }, context);
  }

  write(
    request: WriteRequest,
    write: WriteContext,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>> {
    return new Promise((answered, failed) => this.submit(request, write, context, { answered, failed }));
  }

  submit(request: WriteRequest, write: WriteContext, context: RequestContext, done: WriteDone): void {
    try {
      this.#submit(request, write, context, done);
    } catch (error) {
      done.failed(error);
    }
  }

  #submit(request: WriteRequest, write: WriteContext, context: RequestContext, done: WriteDone): void {
    const { gate, limits, router } = this.#parts;
    gate.enter(context);
    checkWrite(request, limits);
    if (write.session !== undefined) checkSession(write.session);
    const { operations, conditions = [], kind } = request;
    const only = operations.length === 1 && conditions.length === 0 ? operations[0] : undefined;
    const { replica, slot, epoch } =
      only === undefined
        ? router.ofKeys(
            [...operations, ...conditions].map(({ key }) => key),
            write.routed,
          )
        : router.ofKey(only.key, write.routed);
    const { sessionId, requestNumber, retry } = write.session ?? noSession;
    const header = { sessionId, requestNumber, retry, slot: only === undefined ? manySlots : slot, epoch };
    const propose = (keyspaceId: number) =>
      replica.submit({ kind, keyspaceId, conditions, operations }, header, {
        resolve: (result) => {
          if (result.type === 'outcomes') done.answered(answered(replica, result.outcomes));
          else done.failed(new ServerError('INTERNAL_ERROR', `a write gave '${result.type}'`));
        },
        reject: (error) => done.failed(error),
      });
    const keyspaceId = this.#keyspaceId(write.keyspace);
    if (keyspaceId !== undefined) propose(keyspaceId);
    else
      this.#makeKeyspace(write.keyspace, replica)
        .then(propose)
        .catch((error: unknown) => done.failed(error));
  }

  async *watch(request: WatchRequest, context: RequestContext): AsyncGenerator<WatchPage> {
    const { gate, limits, firstGroup: replica, clock } = this.#parts;
    gate.enter(context);
    checkRange(request);
    checkKeyspace(request.keyspace);
    const keyspaceId = () => this.#keyspaceId(request.keyspace);
    const catchUp = async () => void (await this.#parts.system.replica.readBarrier(linearizable));
    const watched = { replica, keyspaceId, catchUp, request, limits, clock };
    yield* gate.untilClosed(context.signal, (signal) => watchPages(watched, signal));
  }

  /** A token of a group without slots is no token of this cluster: to take it for satisfied would promise what is not so. */
  #checkToken(token: Uint8Array | undefined): void {
    if (token === undefined) throw invalidRequest("a read of level 'session' needs a token");
    const { groupId } = decodeReadToken(token);
    if (this.#parts.router.slotsOfGroup(groupId) > 0) return;
    throw invalidRequest(`the token names group ${groupId}, which holds no keys of this cluster`);
  }

  #keyspaceId(keyspace: string): number | undefined {
    if (keyspace === '') return 0;
    checkKeyspace(keyspace);
    const entry = this.#parts.system.replica.machine.catalogue.keyspace(keyspace);
    if (entry?.mode === 'multi-master') throw otherMode(keyspace);
    return entry?.id;
  }

  /**
   * The keyspace of a read that this node does not know: its copy of the system group may be behind its copy of the data.
   * A stale read asks for no more than what is here.
   */
  async #keyspaceToRead(read: ReadContext): Promise<number | undefined> {
    const id = this.#keyspaceId(read.keyspace);
    if (id !== undefined || read.level === 'stale') return id;
    await this.#parts.system.replica.readBarrier(linearizable);
    return this.#keyspaceId(read.keyspace);
  }

  /**
   * The first write to a keyspace makes it, at a node that leads the data group: elsewhere the write would be refused
   * behind it. Those that come meanwhile wait for the same proposal.
   */
  async #makeKeyspace(keyspace: string, replica: Replica): Promise<number> {
    requireLeader(replica, this.#parts.system.replica.machine.catalogue.nodes);
    let making = this.#keyspacesBeingMade.get(keyspace);
    if (making === undefined) {
      making = this.#parts.system
        .change({ type: 'createKeyspace', name: keyspace })
        .catch((error: unknown) => Promise.reject(notMade(keyspace, error)))
        .finally(() => this.#keyspacesBeingMade.delete(keyspace));
      this.#keyspacesBeingMade.set(keyspace, making);
    }
    await making;
    const id = this.#keyspaceId(keyspace);
    invariant(id !== undefined, `keyspace '${keyspace}' was made and is not there`);
    return id;
  }
}

const linearizable = { keyspace: '', level: 'linearizable' } as const;

/** The keyspace may be there or not, but the write for which it was to be made was not begun. */
function notMade(keyspace: string, error: unknown): unknown {
  if (!(error instanceof ServerError) || error.code !== 'OUTCOME_UNKNOWN') return error;
  const message = `keyspace '${keyspace}' was not made in time; nothing was written, try again (${error.message})`;
  return new ServerError('CLUSTER_ERROR', message, { cause: error });
}

/** This node has only just heard of it: the next request goes where it belongs. */
function otherMode(keyspace: string): ServerError {
  return new ServerError(
    'CLUSTER_ERROR',
    `keyspace '${keyspace}' is of mode multi-master; nothing was done, try again`,
  );
}

const noSession = { sessionId: 0, requestNumber: 0, retry: false };

function answered<T>(replica: Replica, value: T, staleMs = 0): Answered<T> {
  return { value, token: replica.token(), staleMs };
}

function horizon(replica: Replica): { readonly horizonMs: number } {
  return { horizonMs: replica.machine.visible.logTimeMs };
}
