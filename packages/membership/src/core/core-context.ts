/** What the parts of the core share: the view, the time of the step that runs, and what it is to bring about. */
import { invariant, type Random } from '@shanghai/env';
import type { Member } from './member.js';
import { MemberView } from './member-view.js';
import type { MembershipEvent } from './membership-event.js';
import type { MembershipSettings } from './membership-options.js';
import type { Destination, Message } from './message.js';
import { Rumours } from './rumours.js';

/** What is to be done outside of the core, in this order. */
export type MembershipEffect =
  | { readonly type: 'send'; readonly to: readonly Destination[]; readonly message: Message }
  | { readonly type: 'tell'; readonly event: MembershipEvent }
  /** This incarnation was begun: the next start is to begin a higher one. */
  | { readonly type: 'keep'; readonly incarnation: number }
  /** This node takes part no more, and steps do nothing from here on. */
  | { readonly type: 'stop' };

/** Shared by the parts of one core. */
export class CoreContext {
  readonly selfId: number;
  readonly clusterId: string;
  readonly settings: MembershipSettings;
  readonly random: Random;
  readonly view = new MemberView();
  readonly rumours = new Rumours();
  /** Monotonic time of the step that runs. */
  nowMs = 0;
  isStopped = false;
  #effects: MembershipEffect[] = [];

  constructor(selfId: number, clusterId: string, settings: MembershipSettings, random: Random) {
    this.selfId = selfId;
    this.clusterId = clusterId;
    this.settings = settings;
    this.random = random;
  }

  get self(): Member {
    const known = this.view.get(this.selfId);
    invariant(known !== undefined, 'a node is in its own view');
    return known.record;
  }

  recordOf(nodeId: number): Member | undefined {
    return this.view.get(nodeId)?.record;
  }

  /** Sends to those of the nodes that are known, but never to this one. */
  send(nodeIds: readonly number[], message: Message): void {
    const to: Destination[] = [];
    for (const nodeId of nodeIds) {
      const record = this.view.get(nodeId)?.record;
      if (record !== undefined && nodeId !== this.selfId) to.push({ nodeId, address: record.address });
    }
    this.sendTo(to, message);
  }

  sendTo(to: readonly Destination[], message: Message): void {
    if (to.length > 0) this.#effects.push({ type: 'send', to, message });
  }

  tell(event: MembershipEvent): void {
    this.#effects.push({ type: 'tell', event });
  }

  keep(incarnation: number): void {
    this.#effects.push({ type: 'keep', incarnation });
  }

  stop(): void {
    this.isStopped = true;
    this.#effects.push({ type: 'stop' });
  }

  /** What has come together. */
  takeEffects(): readonly MembershipEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
