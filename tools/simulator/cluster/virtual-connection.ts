/**
 * A connection between a client and a process: what is sent one way arrives in its order, late where packets were lost,
 * or the connection breaks. It ends with the process, sooner or later.
 */
import type { Random } from '@shanghai/env';
import type { VirtualClock } from './virtual-clock.js';
import type { VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

/** One end. */
export interface ConnectionEnd {
  readonly id: number;
  readonly clock: VirtualClock;
  /** Whether its process still runs. */
  isAlive(): boolean;
}

/** Both ends, and what lies between them. */
export interface ConnectionParts {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly random: Random;
  readonly client: ConnectionEnd;
  readonly server: ConnectionEnd;
}

const retransmissionMs = 400;
const silenceMs = 8000;

/** A connection that is up until it breaks; then it stays broken. */
export class VirtualConnection {
  readonly #parts: ConnectionParts;
  readonly #number: number;
  readonly #onBroken = new Set<() => void>();
  readonly #lastMs = { there: 0, back: 0 };
  #state: 'up' | 'silent' | 'broken' = 'up';

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    this.#number = parts.network.connectionOf(parts.client.id, parts.server.id);
  }

  get isUp(): boolean {
    return this.#state !== 'broken';
  }

  /** Something is done at the server when what was sent arrives there. */
  there(action: () => void): void {
    this.#send('there', action);
  }

  /** The same at the client. */
  back(action: () => void): void {
    this.#send('back', action);
  }

  /** Called at most once, at the client, when it notices. Returns a function that takes it back. */
  whenBroken(callback: () => void): () => void {
    this.#onBroken.add(callback);
    return () => this.#onBroken.delete(callback);
  }

  /** Both ends hear of it at once: the client's end was closed, or both are reset. */
  break(): void {
    if (this.#state === 'broken') return;
    this.#state = 'broken';
    for (const callback of [...this.#onBroken]) inTimeOf(this.#parts.client, callback);
    this.#onBroken.clear();
  }

  #send(way: 'there' | 'back', action: () => void): void {
    if (this.#state !== 'up') return;
    const { world, network, random } = this.#parts;
    let delayMs = network.delayMs();
    if (random.float() < network.conditions.lostShare) delayMs += random.float() * retransmissionMs;
    const atMs = Math.max(world.nowMs + delayMs, this.#lastMs[way]);
    this.#lastMs[way] = atMs;
    world.queue.after(atMs - world.nowMs, () => this.#arrive(way, action));
  }

  #arrive(way: 'there' | 'back', action: () => void): void {
    if (this.#state !== 'up') return;
    const { network, client, server, random } = this.#parts;
    const [from, to] = way === 'there' ? [client, server] : [server, client];
    if (network.connectionOf(client.id, server.id) !== this.#number) this.break();
    else if (!to.isAlive()) this.#breakIn(random.float() * 20);
    else if (network.isCut(from.id, to.id)) this.#breakIn(random.float() * silenceMs);
    else inTimeOf(to, action);
  }

  /** Nothing more arrives; that it is so is noticed later. */
  #breakIn(delayMs: number): void {
    this.#state = 'silent';
    this.#parts.world.queue.after(delayMs, () => this.break());
  }
}

function inTimeOf({ clock, isAlive }: ConnectionEnd, action: () => void): void {
  if (!isAlive()) return;
  if (!clock.isPaused) action();
  else clock.soon(() => isAlive() && action());
}
