import type { Clock, Timer } from '@shanghai/env';
import type { ClusterNode } from '../cluster/cluster-node.js';
import type { CallEnvironment } from './call-environment.js';
import { leftFailure, silenceMs } from './stream-failure.js';

/**
 * Watches a node that owes an answer: a connection can be dead without saying so (a machine that lost its power). After
 * each while of silence `isLost` is asked; once it says so, `signal` aborts with the failure of the request.
 */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #node: ClusterNode;
  readonly #isLost: () => Promise<boolean>;
  readonly #controller = new AbortController();
  #timer: Timer | undefined;
  /** Counts starts, so that a question asked before the last one is not heard. */
  #starts = 0;

  constructor(clock: Clock, node: ClusterNode, isLost: () => Promise<boolean>) {
    this.#clock = clock;
    this.#node = node;
    this.#isLost = isLost;
  }

  /** Aborts when the node is lost. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The node owes an answer from now on. */
  start(): void {
    this.stop();
    const start = this.#starts;
    this.#timer = this.#clock.setTimer(silenceMs, () => void this.#ask(start));
  }

  /** It owes nothing, or has answered. */
  stop(): void {
    this.#starts++;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #ask(start: number): Promise<void> {
    const lost = await this.#isLost();
    if (start !== this.#starts) return;
    if (lost) this.#controller.abort(leftFailure(this.#node));
    else this.start();
  }
}

/** Watches the node of a request to the leader: it is lost when the others name another one. */
export function watchLeader({ options, discovery, leader }: CallEnvironment, node: ClusterNode): SilenceWatch {
  return new SilenceWatch(options.clock, node, async () => {
    await discovery.askOthers(node);
    return leader.target() !== node;
  });
}

/** Watches a replica: it is lost when there is another one to ask. */
export function watchReplica({ options, nodes }: CallEnvironment, node: ClusterNode): SilenceWatch {
  return new SilenceWatch(options.clock, node, async () => {
    return nodes.all.some((other) => other !== node && other.isHealthy);
  });
}
