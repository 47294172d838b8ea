import type { Snapshot } from '../core/entry.js';
import type { GroupMessage } from '../ports/peer-transport.js';
import type { SnapshotSink, StateMachine } from '../ports/state-machine.js';
import type { HostContext } from './host-context.js';

/** What receiving stands on. */
export interface SnapshotReceiverOptions {
  readonly host: HostContext;
  readonly machine: StateMachine<unknown>;
  readonly from: number;
  readonly offer: GroupMessage;
  /** Everything is here and durable: the message is received. */
  onComplete(): void;
}

/** Where the snapshot of an offer is gathered. */
export async function receiveSnapshot(options: SnapshotReceiverOptions): Promise<SnapshotSink> {
  const { host, machine, from, offer, onComplete } = options;
  const snapshot = offer.message.snapshot as Snapshot;
  const inner = (await machine.receive?.(snapshot)) ?? noFiles;
  const startedMs = host.clock.monotonicMs();
  let bytes = snapshot.data.length;
  const tell = (error?: Error) => {
    const { groupId } = offer;
    const durationMs = host.clock.monotonicMs() - startedMs;
    const { index } = snapshot.metadata;
    host.listener.snapshotReceived?.({ groupId, from, index, bytes, durationMs, ...(error && { error }) });
  };
  return {
    begin: (files) => inner.begin(files),
    write: (name, offset, chunk) => {
      bytes += chunk.length;
      return inner.write(name, offset, chunk);
    },
    complete: async () => {
      await inner.complete();
      onComplete();
      tell();
    },
    abandon: async () => {
      tell(new Error('the snapshot was broken off'));
      await inner.abandon();
    },
  };
}

/** Of a state machine that has no files. */
const noFiles: SnapshotSink = {
  begin: async (files) => {
    if (files.length > 0) throw new Error('this state has no files');
    return [];
  },
  write: async () => {
    throw new Error('this state has no files');
  },
  complete: async () => {},
  abandon: async () => {},
};
