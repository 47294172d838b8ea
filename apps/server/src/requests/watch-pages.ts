/**
 * Committed changes as pages, each gathered when the consumer asks. Nothing is queued for a watcher: it is a position in
 * the group's ring of changes, and one that falls behind the oldest change kept is told `OUT_OF_RANGE`.
 */
import type { Clock } from '@shanghai/env';
import type { Change } from '../apply/change-ring.js';
import type { NodeLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { WatchEvent, WatchPage, WatchRequest } from './key-value-requests.js';
import { ServerError } from './server-error.js';
import { decodeWatchPosition, encodeWatchPosition } from './watch-position.js';

/** Changes looked at for one page. */
const pageChanges = 1024;

/** How far a watcher has come it is told so long after a change that it does not see, at the latest. */
const markMs = 1_000;

const noBytes = new Uint8Array(0);

/** What a watch needs. */
export interface WatchedRange {
  readonly replica: Replica;
  /** Asked for every page: the keyspace may be made while it is watched. */
  readonly keyspaceId: () => number | undefined;
  /** Resolves when this node knows every keyspace that a change published by now may be of. */
  readonly catchUp: () => Promise<void>;
  readonly request: WatchRequest;
  readonly limits: NodeLimits;
  readonly clock: Clock;
}

/**
 * The pages of a watch, until the signal aborts. The first page is a mark of where it begins. A watch that sees nothing
 * but others' changes is told how far it has come: after so many changes, a second after the first of them, and when it
 * ends here, so that it can go on elsewhere, at a node that keeps only what is recent.
 */
export async function* watchPages(watch: WatchedRange, signal: AbortSignal): AsyncGenerator<WatchPage> {
  const { replica, request } = watch;
  const ring = replica.state.changes;
  let revision = await startRevision(replica, request.position);
  let marked = revision;
  let due: MarkTimer | undefined;
  yield { events: [], position: position(replica, revision) };
  try {
    while (!signal.aborted) {
      if (revision < ring.forgottenRevision) throw outOfRange(replica, revision);
      const end = ring.revision;
      if (end > revision && watch.keyspaceId() === undefined) {
        await watch.catchUp();
        if (revision < ring.forgottenRevision) throw outOfRange(replica, revision);
      }
      const page = gather(watch, revision, end);
      revision = page.revision;
      if (page.events.length > 0 || revision - marked >= pageChanges || due?.isOver === true) {
        marked = revision;
        due?.cancel();
        due = undefined;
        yield { events: page.events, position: position(replica, revision) };
      } else if (revision === ring.revision) {
        if (revision > marked) due ??= startMarkTimer(watch.clock);
        const published = ring.published.wait(signal);
        await (due === undefined ? published : Promise.race([published, due.over]));
      }
    }
    if (revision > marked) yield { events: [], position: position(replica, revision) };
  } finally {
    due?.cancel();
  }
}

/** Runs while a watcher has come further than it was told. */
interface MarkTimer {
  readonly over: Promise<void>;
  readonly isOver: boolean;
  cancel(): void;
}

function startMarkTimer(clock: Clock): MarkTimer {
  let isOver = false;
  let cancel = () => {};
  const over = new Promise<void>((resolve) => {
    const timer = clock.setTimer(markMs, () => {
      isOver = true;
      resolve();
    });
    cancel = () => timer.cancel();
  });
  return {
    over,
    get isOver() {
      return isOver;
    },
    cancel,
  };
}

/**
 * The revision a watch begins behind. One that another replica gave out may be ahead of this one, which then catches up
 * first; one that is beyond everything committed is of another history.
 */
async function startRevision(replica: Replica, bytes: Uint8Array | undefined): Promise<number> {
  const ring = replica.state.changes;
  if (bytes === undefined || bytes.length === 0) return ring.revision;
  const own = decodeWatchPosition(bytes).find(({ groupId }) => groupId === replica.groupId);
  if (own === undefined) throw outOfRange(replica, undefined);
  if (own.revision > ring.revision) await replica.readBarrier({ keyspace: '', level: 'linearizable' });
  // Before the first page: that would tell whoever asks that it goes on here.
  if (own.revision > ring.revision || own.revision < ring.forgottenRevision) throw outOfRange(replica, own.revision);
  return own.revision;
}

/** Looks at changes behind `revision` up to `end`; resolves to where it got. */
function gather(watch: WatchedRange, revision: number, end: number): { events: WatchEvent[]; revision: number } {
  const { request, limits } = watch;
  const ring = watch.replica.state.changes;
  const found = ring.after(revision, pageChanges);
  const changes = end === ring.revision ? found : found.filter((change) => change.revision <= end);
  const keyspaceId = watch.keyspaceId();
  const events: WatchEvent[] = [];
  let bytes = 0;
  let reached = revision;
  for (const change of changes) {
    if (change.keyspaceId === keyspaceId && contains(request, change.key)) {
      const value = request.keysOnly === true ? noBytes : change.value;
      bytes += change.key.length + value.length;
      if (events.length > 0 && bytes > limits.pageBytes) return { events, revision: reached };
      events.push(eventOf(change, value));
    }
    reached = change.revision;
  }
  return { events, revision: changes.length < pageChanges ? end : reached };
}

function eventOf(change: Change, value: Uint8Array): WatchEvent {
  const { type, key, revision, expiresAtMs } = change;
  return { type, key, value, revision, expiresAtMs };
}

function contains({ start = noBytes, end = noBytes }: WatchRequest, key: Uint8Array): boolean {
  return Buffer.compare(key, start) >= 0 && (end.length === 0 || Buffer.compare(key, end) < 0);
}

function position(replica: Replica, revision: number): Uint8Array {
  return encodeWatchPosition([{ groupId: replica.groupId, revision }]);
}

function outOfRange(replica: Replica, revision: number | undefined): ServerError {
  const { forgottenRevision } = replica.state.changes;
  const first = Buffer.from(position(replica, forgottenRevision)).toString('base64');
  const asked = revision === undefined ? 'of another group' : `${revision}`;
  return new ServerError(
    'OUT_OF_RANGE',
    `changes after revision ${asked} are not kept; the first position kept is revision ${forgottenRevision}`,
    { details: { firstPosition: first, firstRevision: forgottenRevision } },
  );
}
