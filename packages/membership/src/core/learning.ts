/** Taking in what is said of members: news is remembered, told to the user once, and gossiped on. */
import type { CoreContext } from './core-context.js';
import { isGone, isPresent, type Member, type MemberState, rankOf, supersedes } from './member.js';

/** So many refutations of another instance within twelve times the time to `down` mean a double: each finds out that the other was last believed by hearing nobody. */
const fightsOfADouble = 3;

/** The records of others, and this node's own. */
export class Learning {
  readonly #context: CoreContext;
  /** When this node met records of itself that another instance had made. */
  readonly #fightsMs: number[] = [];
  /** When something changed last. */
  changedMs = 0;

  constructor(context: CoreContext) {
    this.#context = context;
  }

  /** Takes in what somebody says of a member. */
  learn(record: Member): void {
    const context = this.#context;
    if (context.isStopped) return;
    if (record.nodeId === context.selfId) {
      this.#learnOfSelf(record);
      return;
    }
    const before = context.view.take(record);
    if (before === undefined) return;
    this.#spread(record.nodeId);
    this.#tellOf(before ?? undefined, record);
  }

  /** This node says something else of itself: under another incarnation, unless only its state goes on. */
  restate(changes: Partial<Member>, incarnation = this.#context.self.incarnation + 1): void {
    const { self, view } = this.#context;
    view.take({ ...self, ...changes, incarnation });
    if (incarnation !== self.incarnation) this.#context.keep(incarnation);
    this.#spread(self.nodeId);
  }

  /** The state of this node goes on. */
  become(state: MemberState): void {
    this.restate({ state }, this.#context.self.incarnation);
  }

  #spread(nodeId: number): void {
    this.changedMs = this.#context.nowMs;
    this.#context.rumours.add(nodeId);
  }

  #learnOfSelf(record: Member): void {
    const context = this.#context;
    const { self } = context;
    if (record.state === 'removed') {
      context.tell({ type: 'expelled' });
      context.stop();
      return;
    }
    if (!supersedes(record, self)) return;
    if (record.instanceId !== self.instanceId && this.#hasLostTo(record)) {
      context.tell({ type: 'superseded', by: record });
      context.stop();
      return;
    }
    this.restate({}, record.incarnation + 1);
    if (rankOf(record.state) < rankOf('suspect')) return;
    context.tell({ type: 'refuted', accused: record.state, incarnation: record.incarnation + 1 });
  }

  /** One record may be of an earlier life; if they keep coming, somebody keeps making them. */
  #hasLostTo(record: Member): boolean {
    const { nowMs, settings, self } = this.#context;
    const fights = this.#fightsMs;
    fights.push(nowMs);
    while ((fights[0] as number) < nowMs - 12 * settings.downAfterMs) fights.shift();
    return fights.length >= fightsOfADouble && self.instanceId < record.instanceId;
  }

  #tellOf(before: Member | undefined, record: Member): void {
    const { state } = record;
    if (before === undefined) {
      if (isGone(state)) return;
      this.#tellState('joining', record, undefined);
      if (state !== 'joining') this.#tellState(state, record, 'joining');
    } else if (before.state !== state) {
      const isBack = isGone(before.state) && !isGone(state);
      if (isBack && state !== 'joining') this.#tellState('joining', record, before.state);
      this.#tellState(state, record, isBack && state !== 'joining' ? 'joining' : before.state);
    }
    if (before !== undefined && saysOther(before, record)) {
      this.#context.tell({ type: 'changed', member: record, previous: before });
    }
    if (before?.name !== record.name || !isPresent(before.state)) this.#tellOfNames(record);
  }

  #tellState(state: MemberState, member: Member, before: MemberState | undefined): void {
    const type = state === 'joining' ? 'joined' : state;
    this.#context.tell({ type, member, ...(before === undefined ? {} : { before }) });
  }

  #tellOfNames(record: Member): void {
    const other = this.#context.view.holderOf(record.name, record.nodeId);
    if (isPresent(record.state) && other !== undefined) {
      this.#context.tell({ type: 'nameConflict', member: record, other });
    }
  }
}

function saysOther(before: Member, record: Member): boolean {
  return (
    before.address !== record.address ||
    before.name !== record.name ||
    before.instanceId !== record.instanceId ||
    !sameTags(before.tags, record.tags)
  );
}

function sameTags(one: Member['tags'], other: Member['tags']): boolean {
  if (one === other) return true;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}
