/**
 * Which keyspaces and logs every node writes. Their writes need no leader, so they go to the nearest node; but only
 * whoever knows that they are of that kind may send them there. A node that can be reached is asked once for each name, and
 * answers from what it has: it need not hear the others. What it does not say counts as of the other kind for a while.
 */
import { type Clock, invariant } from '@shanghai/env';
import { KeyspaceMode, LogMode } from '@shanghai/proto';
import type { Channel } from '../transport.js';
import type { NodeRoute } from './node-route.js';

/** What a node is asked may take so long, in milliseconds. */
const askTimeoutMs = 1_000;

/** What was found to be of the other kind, or could not be found out, is asked for again after so long, in milliseconds. */
const askAgainMs = 60_000;
const triedAgainMs = 5_000;

/** Names kept; of more, those learned first are forgotten. */
const maxNames = 10_000;

/** What it stands on. */
export interface MultiMasterNamesPorts {
  /** Whom to ask. */
  readonly nearest: NodeRoute;
  readonly clock: Clock;
  readonly closing: AbortSignal;
}

interface Known {
  readonly isMultiMaster: boolean;
  readonly untilMs: number;
}

type Ask = (channel: Channel, name: string, signal: AbortSignal) => Promise<boolean>;

/** What a client knows of one kind of names. */
export class Names {
  readonly #ports: MultiMasterNamesPorts;
  readonly #ask: Ask;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Map<string, Promise<boolean>>();

  constructor(ports: MultiMasterNamesPorts, ask: Ask) {
    this.#ports = ports;
    this.#ask = ask;
  }

  /** At once where it was ever known; asked for at most once at a time. Never rejects. */
  isMultiMaster(name: string): boolean | Promise<boolean> {
    const known = this.#known.get(name);
    if (known === undefined) return this.#asking.get(name) ?? this.#begin(name);
    // What it was will do until there is an answer: nobody waits for what is asked again.
    const isOld = known.untilMs !== Number.POSITIVE_INFINITY && this.#ports.clock.monotonicMs() >= known.untilMs;
    if (isOld && !this.#asking.has(name)) void this.#begin(name);
    return known.isMultiMaster;
  }

  /** Somebody said so. `forMs`: believed for so long. */
  learn(name: string, isMultiMaster: boolean, forMs = isMultiMaster ? Number.POSITIVE_INFINITY : askAgainMs): void {
    this.#known.delete(name);
    this.#known.set(name, { isMultiMaster, untilMs: this.#ports.clock.monotonicMs() + forMs });
    if (this.#known.size <= maxNames) return;
    const [oldest] = this.#known.keys();
    invariant(oldest !== undefined, 'a map that is not empty has a first key');
    this.#known.delete(oldest);
  }

  /** It may be another one of that name now. */
  forget(name: string): void {
    this.#known.delete(name);
  }

  #begin(name: string): Promise<boolean> {
    const begun = this.#find(name).finally(() => this.#asking.delete(name));
    this.#asking.set(name, begun);
    return begun;
  }

  async #find(name: string): Promise<boolean> {
    const { nearest, clock, closing } = this.#ports;
    const controller = new AbortController();
    const timer = clock.setTimer(askTimeoutMs, () => controller.abort());
    try {
      const isMultiMaster = await this.#ask(
        nearest.target().channel,
        name,
        AbortSignal.any([controller.signal, closing]),
      );
      this.learn(name, isMultiMaster);
      return isMultiMaster;
    } catch {
      // Whoever asked goes the way to the leader, and hears there what is wrong.
      this.learn(name, false, triedAgainMs);
      return false;
    } finally {
      timer.cancel();
    }
  }
}

/** Of keyspaces and of logs. */
export class MultiMasterNames {
  readonly keyspaces: Names;
  readonly logs: Names;

  constructor(ports: MultiMasterNamesPorts) {
    this.keyspaces = new Names(ports, async (channel, name, signal) => {
      const { keyspaces } = await channel.call('listKeyspaces', {}, { signal, timeoutMs: askTimeoutMs });
      const found = keyspaces.find((keyspace) => keyspace.name === name);
      return found?.mode === KeyspaceMode.KEYSPACE_MODE_MULTI_MASTER;
    });
    this.logs = new Names(ports, async (channel, name, signal) => {
      const { log } = await channel.call('describeLog', { name }, { signal, timeoutMs: askTimeoutMs });
      return log?.settings?.mode === LogMode.LOG_MODE_MULTI_MASTER;
    });
  }
}
