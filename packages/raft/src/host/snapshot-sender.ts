/**
 * Snapshots of one group on their way to followers whose next entry is not in the log any more. The core asks for one
 * when it needs it; it is taken between two runs of entries, and given to the core when it asks again. It is kept while
 * it is being sent, and then for a while: what is behind it in the log is kept as long.
 */

import type { Snapshot } from '../core/entry.js';
import type { Message } from '../core/message.js';
import type { SnapshotSource } from '../ports/state-machine.js';
import type { HostContext } from './host-context.js';

/** A state that was taken. */
export interface TakenSnapshot {
  readonly snapshot: Snapshot;
  readonly source: SnapshotSource | undefined;
}

/** What sending stands on. */
export interface SnapshotSenderOptions {
  readonly groupId: number;
  readonly host: HostContext;
  /** Takes the state as it is between two runs; `undefined` where that cannot be done now. */
  take(): Promise<TakenSnapshot | undefined>;
  /** Whether it reaches the log, and its configuration is the present one. */
  isUsable(snapshot: Snapshot): boolean;
  /** Tells the core how sending to a node ended. */
  report(to: number, isSent: boolean): void;
}

interface Kept extends TakenSnapshot {
  users: number;
  unusedTicks: number;
}

interface Sending {
  readonly kept: Kept;
  readonly abort: AbortController;
  sentBytes: number;
  totalBytes: number;
}

/** The snapshots that one group sends. */
export class SnapshotSender {
  readonly #options: SnapshotSenderOptions;
  /** Its own array: released ones are taken out. */
  #kept: Kept[] = [];
  readonly #sending = new Map<number, Sending>();
  #isTaking = false;
  #isClosed = false;

  constructor(options: SnapshotSenderOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#kept.length === 0 && !this.#isTaking;
  }

  /** The log behind this index is needed by those who get a snapshot. */
  get lowestIndex(): number {
    return Math.min(...this.#kept.map(({ snapshot }) => snapshot.metadata.index));
  }

  /** What the core asks for. */
  request(): Snapshot | 'unavailable' {
    const { host, isUsable, take } = this.#options;
    if (this.#isClosed || host.snapshotsSent >= host.limits.maxSnapshotsSent) return 'unavailable';
    const usable = this.#kept.find(({ snapshot }) => isUsable(snapshot));
    if (usable !== undefined) {
      usable.unusedTicks = 0;
      return usable.snapshot;
    }
    if (!this.#isTaking) {
      this.#isTaking = true;
      take().then(
        (taken) => this.#keep(taken),
        () => this.#keep(undefined),
      );
    }
    return 'unavailable';
  }

  /** Sends a `MsgSnap`. */
  send(message: Message): void {
    const { host, groupId, report } = this.#options;
    const kept = this.#kept.find(({ snapshot }) => snapshot === message.snapshot);
    if (kept === undefined || this.#isClosed || this.#sending.has(message.to)) {
      report(message.to, false);
      return;
    }
    const sending: Sending = { kept, abort: new AbortController(), sentBytes: 0, totalBytes: 0 };
    kept.users++;
    host.snapshotsSent++;
    this.#sending.set(message.to, sending);
    const startedMs = host.clock.monotonicMs();
    const source = kept.source === undefined ? undefined : counted(kept.source, sending);
    const ended = (error?: Error) => {
      this.#end(message.to, sending);
      const { index } = kept.snapshot.metadata;
      const bytes = sending.totalBytes + kept.snapshot.data.length;
      const durationMs = host.clock.monotonicMs() - startedMs;
      host.listener.snapshotSent?.({ groupId, to: message.to, index, bytes, durationMs, ...(error && { error }) });
      if (!this.#isClosed) report(message.to, error === undefined);
    };
    host.transport
      .sendSnapshot(message.to, { groupId, message }, source, sending.abort.signal)
      .then(() => ended(), ended);
  }

  /** The share of the bytes on their way to a node that were read so far; `undefined` where none are. */
  shareSent(to: number): number | undefined {
    const sending = this.#sending.get(to);
    if (sending === undefined) return undefined;
    return sending.totalBytes === 0 ? 0 : Math.min(sending.sentBytes / sending.totalBytes, 1);
  }

  /** A tick: gives up what nobody waits for any more. `isWaiting`: whether the core still waits for a node's snapshot. */
  tick(isWaiting: (nodeId: number) => boolean): void {
    for (const [to, { abort }] of this.#sending) {
      if (!isWaiting(to)) abort.abort(new Error(`node ${to} does not need the snapshot any more`));
    }
    const keptTicks = 2 * this.#options.host.limits.electionTicks;
    for (const kept of this.#kept) if (kept.users === 0) kept.unusedTicks++;
    this.#release((kept) => kept.users === 0 && kept.unusedTicks > keptTicks);
  }

  close(): void {
    this.#isClosed = true;
    for (const { abort } of this.#sending.values()) abort.abort(new Error('the group is closed'));
    this.#release(({ users }) => users === 0);
  }

  #keep(taken: TakenSnapshot | undefined): void {
    this.#isTaking = false;
    if (taken === undefined) return;
    this.#release(({ users }) => users === 0);
    this.#kept.push({ ...taken, users: 0, unusedTicks: 0 });
    if (this.#isClosed) this.#release(() => true);
  }

  #end(to: number, sending: Sending): void {
    this.#options.host.snapshotsSent--;
    this.#sending.delete(to);
    sending.kept.users--;
    sending.kept.unusedTicks = 0;
    if (this.#isClosed) this.#release(({ users }) => users === 0);
  }

  #release(isOver: (kept: Kept) => boolean): void {
    const over = this.#kept.filter(isOver);
    if (over.length === 0) return;
    this.#kept = this.#kept.filter((kept) => !over.includes(kept));
    // Files that cannot be given up are found and removed by their owner's next start.
    for (const { source } of over) source?.release().catch(() => {});
  }
}

/** Counts what is read of a source. */
function counted(source: SnapshotSource, sending: Sending): SnapshotSource {
  return {
    files: async () => {
      const files = await source.files();
      sending.totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
      return files;
    },
    read: async (name, offset, length) => {
      const bytes = await source.read(name, offset, length);
      sending.sentBytes += length;
      return bytes;
    },
    release: () => source.release(),
  };
}
