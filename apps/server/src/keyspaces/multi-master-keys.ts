/**
 * Keys of keyspaces of mode multi-master, at this node: writes go into its own group and are folded there, reads look at what is
 * folded here. Nobody else is asked, so all of it works in a node that is alone in a partition.
 */

import type { Clock } from '@shanghai/env';
import { decodeWinner, type EntryId, encodeOperation, type KeyspaceOperation, seenVector } from '@shanghai/replication';
import { rowKey } from '../apply/keyspace-keys.js';
import { keyspaceLogId } from '../apply/keyspace-log.js';
import { encodeLogRecords } from '../apply/log-record-codec.js';
import type { NodeLimits } from '../limits.js';
import type { MultiMaster, OriginParts } from '../replication/multi-master.js';
import type { Gate } from '../requests/gate.js';
import type {
  OperationOutcome,
  RangePage,
  RangeRequest,
  StoredPair,
  WriteOperation,
  WriteRequest,
} from '../requests/key-value-requests.js';
import { checkKey, checkRange, checkWrite } from '../requests/request-checks.js';
import type { Answered, ReadContext, RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import { isVisible, pairOf, rowPages } from './row-pages.js';
import { decodeVectorToken, encodeVectorToken } from './vector-token.js';

/** What it stands on. */
export interface MultiMasterKeysParts {
  readonly multiMaster: MultiMaster;
  readonly limits: NodeLimits;
  readonly gate: Gate;
  readonly clock: Clock;
}

const noBytes = new Uint8Array(0);

/** The key-value plane of those keyspaces. */
export class MultiMasterKeys {
  readonly #parts: MultiMasterKeysParts;

  constructor(parts: MultiMasterKeysParts) {
    this.#parts = parts;
  }

  async get(
    keyspaceId: number,
    key: Uint8Array,
    read: ReadContext,
    context: RequestContext,
  ): Promise<Answered<StoredPair | undefined>> {
    const { gate, limits } = this.#parts;
    gate.enter(context);
    checkKey(key, limits);
    const origin = await this.#readable(keyspaceId, read, context);
    return this.#answered(keyspaceId, await this.#find(keyspaceId, key, origin), origin);
  }

  async *range(
    keyspaceId: number,
    request: RangeRequest,
    read: ReadContext,
    context: RequestContext,
  ): AsyncGenerator<Answered<RangePage>> {
    const { gate, limits } = this.#parts;
    gate.enter(context);
    checkRange(request);
    const origin = await this.#readable(keyspaceId, read, context);
    const { replica } = origin;
    const range = { replica, keyspaceId, keyspace: read.keyspace, request, limits };
    for await (const page of rowPages(range, context.signal)) {
      refuseDeleted(keyspaceId, origin);
      yield this.#answered(keyspaceId, page, origin);
    }
  }

  async write(
    keyspaceId: number,
    request: WriteRequest,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>> {
    const { gate, limits } = this.#parts;
    gate.enter(context);
    refuseUnsupported(request);
    checkWrite(request, limits);
    const origin = await this.#parts.multiMaster.ready();
    const wasThere = await Promise.all(
      request.operations.map(async ({ type, key }) => {
        return type === 'delete' && (await this.#find(keyspaceId, key, origin)) !== undefined;
      }),
    );
    const { firstSequence } = await this.append(keyspaceId, origin, (seen) => {
      return request.operations.map((operation) => operationOf(operation, seen, origin.replica.nowMs()));
    });
    const outcomes = request.operations.map(({ type }, i): OperationOutcome => {
      const revision = firstSequence + i;
      return type === 'delete' ? { ok: true, revision, deleted: wasThere[i] === true } : { ok: true, revision };
    });
    return this.#answered(keyspaceId, outcomes, origin);
  }

  /** Writes operations as entries of this node that follow each other. `make` is told what the node has seen. */
  append(
    keyspaceId: number,
    { writer, replica }: OriginParts,
    make: (seen: readonly EntryId[]) => readonly KeyspaceOperation[],
  ): Promise<{ readonly firstSequence: number }> {
    const { machine } = replica;
    const fold = machine.keyspaces.get(keyspaceId);
    // What is folded here is never later than what is written here next, also where a verdict let it in ahead of its time.
    if (fold !== undefined) writer.follow(fold.state().clock);
    const seen = seenVector(positionsOf(keyspaceId, replica), machine.streams.own);
    const records = make(seen).map((operation) => {
      return { key: noBytes, value: Buffer.from(encodeOperation(operation)), headers: [] };
    });
    const recordBytes = encodeLogRecords(records);
    return writer.append({ logId: keyspaceLogId(keyspaceId), recordCount: records.length, recordBytes });
  }

  async #find(keyspaceId: number, key: Uint8Array, { replica }: OriginParts): Promise<StoredPair | undefined> {
    const stored = await replica.store.getEntry(rowKey(keyspaceId, key), { horizonMs: 0 });
    if (stored === undefined) return undefined;
    const winner = decodeWinner(stored.value);
    if (replica.isDue(winner.expiresAtMs)) await replica.advanceTime();
    return isVisible(winner, replica.machine.visible.logTimeMs) ? pairOf(key, winner) : undefined;
  }

  async #readable(keyspaceId: number, read: ReadContext, context: RequestContext): Promise<OriginParts> {
    if (read.level === 'linearizable') throw noLinearizableReads(read.keyspace);
    const origin = await this.#parts.multiMaster.open();
    refuseDeleted(keyspaceId, origin);
    if (read.level === 'session') {
      if (read.token === undefined) throw new ServerError('INVALID_REQUEST', "a read of level 'session' needs a token");
      await this.#untilSeen(keyspaceId, decodeVectorToken(read.token, keyspaceId), origin, context);
    }
    return origin;
  }

  /** Resolves when this node has all that a reader has seen elsewhere. */
  async #untilSeen(
    keyspaceId: number,
    wanted: readonly EntryId[],
    { replica }: OriginParts,
    context: RequestContext,
  ): Promise<void> {
    const { published } = replica.state.changes;
    const { clock, limits } = this.#parts;
    const timeout = new AbortController();
    const timer = clock.setTimer(limits.readTimeoutMs, () => timeout.abort());
    const signal = AbortSignal.any([timeout.signal, context.signal]);
    try {
      for (;;) {
        const seen = published.count;
        const lacking = wanted.find((one) => positionOf(keyspaceId, one, replica) < one.sequence);
        if (lacking === undefined) return;
        refuseDeleted(keyspaceId, { replica });
        if (signal.aborted) throw notSeenYet(lacking);
        await published.wait(signal, seen);
      }
    } finally {
      timer.cancel();
    }
  }

  #answered<T>(keyspaceId: number, value: T, origin: OriginParts): Answered<T> {
    const { replica } = origin;
    const token = encodeVectorToken(keyspaceId, positionsOf(keyspaceId, replica));
    const { ms } = this.#parts.multiMaster.watermark(keyspaceLogId(keyspaceId), origin);
    const isAlone = this.#parts.multiMaster.isAlone;
    return { value, token, staleMs: isAlone ? 0 : Math.max(0, replica.nowMs() - ms) };
  }
}

/** What is left of its rows is not to be read. */
function refuseDeleted(keyspaceId: number, { replica }: Pick<OriginParts, 'replica'>): void {
  if (!replica.machine.streams.isDropped(keyspaceLogId(keyspaceId))) return;
  throw new ServerError('NOT_FOUND', 'the keyspace was deleted; make it again, or use another one');
}

function positionsOf(keyspaceId: number, { machine }: OriginParts['replica']): EntryId[] {
  const streams = machine.streams.visibleOf(keyspaceLogId(keyspaceId));
  return streams.map(({ origin, epoch, lastSequence: sequence }) => ({ origin, epoch, sequence }));
}

function positionOf(keyspaceId: number, { origin, epoch }: EntryId, { machine }: OriginParts['replica']): number {
  return machine.streams.visible({ logId: keyspaceLogId(keyspaceId), origin, epoch })?.lastSequence ?? 0;
}

function operationOf(operation: WriteOperation, seen: readonly EntryId[], nowMs: number): KeyspaceOperation {
  const { type, key } = operation;
  if (type === 'delete') return { type, seen, key };
  const { value } = operation;
  const ttlMs = operation.type === 'put' ? (operation.ttlMs ?? 0) : 0;
  return { type: 'put', seen, key, value, expiresAtMs: ttlMs === 0 ? 0 : nowMs + ttlMs };
}

function refuseUnsupported({ kind, operations }: WriteRequest): void {
  const reason =
    kind === 'transact'
      ? 'conditions are judged by one node, and another may write the key at the same time'
      : kind === 'atomic'
        ? 'nodes that write the same keys at the same time keep some of each'
        : operations.some(({ type }) => type === 'append')
          ? 'of two nodes that append to a value at the same time one would lose'
          : undefined;
  if (reason === undefined) return;
  throw new ServerError(
    'UNSUPPORTED',
    `a keyspace of mode multi-master takes put and delete only: ${reason}; use a keyspace of mode quorum for this`,
  );
}

function noLinearizableReads(keyspace: string): ServerError {
  return new ServerError(
    'UNSUPPORTED',
    `keyspace '${keyspace}' is of mode multi-master, where no read is linearizable; read with level 'stale' (what this node has), ` +
      `or 'session' and the token of an earlier answer (at least what you have seen)`,
  );
}

function notSeenYet({ origin, epoch, sequence }: EntryId): ServerError {
  return new ServerError(
    'CLUSTER_ERROR',
    `this node does not have entry ${sequence} of node ${origin} (epoch ${epoch}) yet, which the token names; ` +
      'try again, or ask the node that gave the token',
  );
}
