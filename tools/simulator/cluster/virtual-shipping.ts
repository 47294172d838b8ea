/**
 * The way of the nodes' shipping through the virtual network: sessions as in memory, that end where a way between two nodes
 * is cut or their connection breaks, and now and then where frames are lost; and that take their time.
 */
import type { ReplicationTransport } from '@shanghai/replication';
import { MemoryReplicationNetwork } from '@shanghai/replication/testing';
import type { ProcessPlace } from './machine.js';
import { VirtualClock } from './virtual-clock.js';
import type { VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

/** Between two looks at what is cut. */
const lookMs = 100;

/** See above. */
export class VirtualShipping extends MemoryReplicationNetwork {
  readonly #network: VirtualNetwork;
  readonly #connections = new Map<string, number>();

  constructor(world: VirtualWorld, network: VirtualNetwork, nodeIds: readonly number[]) {
    super({
      clock: new VirtualClock(world.queue, { rate: 1, wallOffsetMs: 0 }),
      delayMs: () => network.delayMs(),
      retryMs: 200,
    });
    this.#network = network;
    const random = world.randomFor('shipping');
    const look = () => {
      for (const a of nodeIds) {
        for (const b of nodeIds) {
          if (a >= b) continue;
          const isLost = random.float() < network.conditions.lostShare * 0.2;
          if (isLost || !this.passes(a, b) || this.#hasBroken(a, b)) this.endSessions((one) => one.joins(a, b));
        }
      }
      world.queue.after(lookMs, look);
    };
    world.queue.after(lookMs, look);
  }

  override passes(a: number, b: number): boolean {
    return super.passes(a, b) && !this.#network.isCut(a, b) && !this.#network.isCut(b, a);
  }

  /** The transport of a process, which goes with it. */
  transportOf(place: ProcessPlace): ReplicationTransport {
    const transport = this.transport(place.nodeId);
    place.whenGone(() => void transport.close());
    return transport;
  }

  #hasBroken(a: number, b: number): boolean {
    const pair = `${a}-${b}`;
    const now = this.#network.connectionOf(a, b);
    const hasBroken = now !== (this.#connections.get(pair) ?? 0);
    this.#connections.set(pair, now);
    return hasBroken;
  }
}
