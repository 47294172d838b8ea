import { wasDeleted } from '../apply/catalogue.js';
import type { SystemGroup } from '../raft/system-group.js';
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
} from '../requests/key-value-requests.js';
import type { Answered, ReadContext, RequestContext, WriteContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import type { MultiMasterKeys } from './multi-master-keys.js';

/** What it stands on. */
export interface AllKeyspacesParts {
  readonly system: SystemGroup;
  /** Keyspaces that the groups of the slots hold, and such as are not made yet. */
  readonly quorum: KeyValueRequests;
  readonly multiMaster: MultiMasterKeys;
}

/**
 * Both kinds of keyspaces, each request to the one that it concerns. A node that has not heard yet of what mode a keyspace is
 * takes it for one of mode quorum, whose own ways of asking find out, and refuse.
 */
export class AllKeyspaces implements KeyValueRequests {
  readonly #parts: AllKeyspacesParts;

  constructor(parts: AllKeyspacesParts) {
    this.#parts = parts;
  }

  openSession(ttlMs: number, context: RequestContext): ReturnType<KeyValueRequests['openSession']> {
    return this.#parts.quorum.openSession(ttlMs, context);
  }

  async get(key: Uint8Array, read: ReadContext, context: RequestContext): Promise<Answered<StoredPair | undefined>> {
    const id = this.#multiMasterId(read.keyspace);
    if (id === undefined) return this.#parts.quorum.get(key, read, context);
    return this.#parts.multiMaster.get(id, key, read, context);
  }

  range(request: RangeRequest, read: ReadContext, context: RequestContext): AsyncIterable<Answered<RangePage>> {
    const id = this.#multiMasterId(read.keyspace);
    if (id === undefined) return this.#parts.quorum.range(request, read, context);
    return this.#parts.multiMaster.range(id, request, read, context);
  }

  async write(
    request: WriteRequest,
    write: WriteContext,
    context: RequestContext,
  ): Promise<Answered<readonly OperationOutcome[]>> {
    const id = this.#multiMasterId(write.keyspace);
    if (id === undefined) return this.#parts.quorum.write(request, write, context);
    return this.#parts.multiMaster.write(id, request, context);
  }

  submit(request: WriteRequest, write: WriteContext, context: RequestContext, done: WriteDone): void {
    const { quorum } = this.#parts;
    if (quorum.submit !== undefined && this.#multiMasterId(write.keyspace) === undefined) {
      quorum.submit(request, write, context, done);
    } else this.write(request, write, context).then(done.answered, done.failed);
  }

  watch(request: WatchRequest, context: RequestContext): AsyncIterable<WatchPage> {
    if (this.#multiMasterId(request.keyspace) === undefined) return this.#parts.quorum.watch(request, context);
    throw new ServerError(
      'UNSUPPORTED',
      `keyspace '${request.keyspace}' is of mode multi-master: its nodes see changes in different orders, and there is no watch; ` +
        'write to a log of mode multi-master and tail that, or use a keyspace of mode quorum',
    );
  }

  #multiMasterId(keyspace: string): number | undefined {
    if (keyspace === '') return undefined;
    const { catalogue } = this.#parts.system;
    const entry = catalogue.keyspace(keyspace);
    if (entry === undefined && catalogue.deletedKeyspace(keyspace) !== undefined) {
      throw new ServerError('NOT_FOUND', wasDeleted(keyspace));
    }
    return entry?.mode === 'multi-master' ? entry.id : undefined;
  }
}
