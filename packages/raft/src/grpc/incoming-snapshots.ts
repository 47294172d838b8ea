import { status } from '@grpc/grpc-js';
import type { Clock } from '@shanghai/env';
import type { PeerHandlers } from '../ports/peer-transport.js';
import { admit, type IncomingSettings, type PeerCall, refuse } from './incoming-streams.js';
import { SnapshotReceiver } from './snapshot-receiver.js';

/** Streams that have not offered anything yet; each may hold an offer. */
const maxUnclaimed = 8;

/** The snapshots that come in: a few at a time, at most one for each group of a peer. */
export class IncomingSnapshots {
  readonly #settings: IncomingSettings;
  readonly #clock: Clock;
  readonly #handlers: () => PeerHandlers | undefined;
  readonly #all = new Set<SnapshotReceiver>();
  readonly #claimed = new Map<string, SnapshotReceiver>();

  constructor(settings: IncomingSettings, clock: Clock, handlers: () => PeerHandlers | undefined) {
    this.#settings = settings;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  serve(call: PeerCall): void {
    if (this.#handlers() === undefined) {
      refuse(call, status.UNAVAILABLE, 'this node does not take part now');
      return;
    }
    const peer = admit(call, 'snapshot', this.#settings);
    if (peer === undefined) return;
    if (this.#all.size - this.#claimed.size >= maxUnclaimed) {
      refuse(call, status.RESOURCE_EXHAUSTED, 'too many snapshots are offered; later');
      return;
    }
    this.#settings.listener.connected?.({ nodeId: peer.nodeId, lane: 'snapshot', direction: 'in' });
    const receiver = new SnapshotReceiver(
      {
        ...this.#settings,
        clock: this.#clock,
        handlers: this.#handlers,
        claim: (claiming, groupId) => this.#claim(claiming, groupId),
      },
      call,
      peer,
    );
    this.#all.add(receiver);
    void receiver.settled.then(() => this.#all.delete(receiver));
  }

  /** A newer stream for the same snapshot waits until the older one's files are let go. */
  async #claim(receiver: SnapshotReceiver, groupId: number): Promise<boolean> {
    const key = `${receiver.peer.nodeId} ${groupId}`;
    const older = this.#claimed.get(key);
    if (older === undefined && this.#claimed.size >= this.#settings.limits.maxSnapshotsReceived) return false;
    this.#claimed.set(key, receiver);
    void receiver.settled.then(() => {
      if (this.#claimed.get(key) === receiver) this.#claimed.delete(key);
    });
    older?.end(status.CANCELLED, 'a newer stream has taken the place of this one');
    await older?.settled;
    return true;
  }

  /** Ends those of whom the node table knows nothing any more. */
  review(): void {
    for (const receiver of [...this.#all]) {
      const { nodeId, instanceId } = receiver.peer;
      if (this.#settings.book.check(nodeId, instanceId) !== 'known') {
        receiver.end(status.FAILED_PRECONDITION, `node ${nodeId} is not in the node table any more`);
      }
    }
  }

  /** Resolves when every sink has been told. */
  async close(): Promise<void> {
    const all = [...this.#all];
    for (const receiver of all) receiver.end(status.UNAVAILABLE, 'this node closes');
    await Promise.all(all.map(({ settled }) => settled));
  }
}
