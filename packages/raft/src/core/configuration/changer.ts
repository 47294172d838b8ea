/**
 * Applies changes to a configuration and to what the leader knows of its members. Nothing is changed in place: the
 * result is a new configuration and a new table, so a refused change leaves no trace.
 *
 * After the Raft dissertation, chapter 4, with the additions that make it whole in practice: learners, and voters that
 * become learners at the end of a joint change (a node that is still counted in the outgoing majority cannot be one yet).
 */
import { invariant } from '@shanghai/env';
import { Inflights } from '../progress/inflights.js';
import { type InflightLimits, Progress } from '../progress/progress.js';
import { RaftError } from '../raft-error.js';
import type { ConfChangeSingle } from './conf-change.js';
import { type Configuration, type ConfState, emptyConfiguration, isJoint } from './configuration.js';

/** Progress by node id. */
export type ProgressMap = Map<number, Progress>;

/** A configuration with the progress of its members. */
export interface Membership {
  readonly configuration: Configuration;
  readonly progress: ProgressMap;
}

/** What a change stands on. */
export interface ChangerOptions extends Membership {
  /** New members are first probed here. */
  readonly lastIndex: number;
  readonly inflightLimits: InflightLimits;
}

/** Works out what a change makes of a membership. Throws `RaftError` `INVALID_CONFIGURATION`. */
export class Changer {
  readonly #options: ChangerOptions;

  constructor(options: ChangerOptions) {
    checkMembership(options);
    this.#options = options;
  }

  /** Makes the present voters the outgoing half and applies the changes to the incoming one. */
  enterJoint(autoLeave: boolean, changes: readonly ConfChangeSingle[]): Membership {
    const draft = this.#draft();
    if (draft.outgoing.size > 0) throw refused('config is already joint');
    if (draft.incoming.size === 0) throw refused("can't make a zero-voter config joint");
    for (const id of draft.incoming) draft.outgoing.add(id);
    this.#apply(draft, changes);
    return finish(draft, autoLeave);
  }

  /** Drops the outgoing half; who is only in it is gone, or becomes the learner it was to be. */
  leaveJoint(): Membership {
    if (!isJoint(this.#options.configuration)) throw refused("can't leave a non-joint config");
    const draft = this.#draft();
    for (const id of draft.learnersNext) {
      draft.learners.add(id);
      progressOf(draft, id).isLearner = true;
    }
    draft.learnersNext.clear();
    for (const id of draft.outgoing) {
      if (!draft.incoming.has(id) && !draft.learners.has(id)) draft.progress.delete(id);
    }
    draft.outgoing.clear();
    return finish(draft, false);
  }

  /** Applies changes of which at most one touches the voters: old and new majorities then overlap. */
  simple(changes: readonly ConfChangeSingle[]): Membership {
    if (isJoint(this.#options.configuration)) throw refused("can't apply simple config change in joint config");
    const draft = this.#draft();
    this.#apply(draft, changes);
    const before = this.#options.configuration.voters.incoming;
    if (symmetricDifference(before, draft.incoming) > 1) {
      throw refused('more than one voter changed without entering joint config');
    }
    return finish(draft, this.#options.configuration.autoLeave);
  }

  #draft(): Draft {
    const { configuration, progress } = this.#options;
    const copies = [...progress].map(([id, one]) => [id, copyOf(one)] as const);
    return {
      incoming: new Set(configuration.voters.incoming),
      outgoing: new Set(configuration.voters.outgoing),
      learners: new Set(configuration.learners),
      learnersNext: new Set(configuration.learnersNext),
      progress: new Map(copies),
    };
  }

  #apply(draft: Draft, changes: readonly ConfChangeSingle[]): void {
    for (const { type, nodeId } of changes) {
      if (nodeId === 0) continue;
      if (type === 'addNode') this.#makeVoter(draft, nodeId);
      else if (type === 'addLearner') this.#makeLearner(draft, nodeId);
      else if (type === 'removeNode') remove(draft, nodeId);
    }
    if (draft.incoming.size === 0) throw refused('removed all voters');
  }

  #makeVoter(draft: Draft, id: number): void {
    const known = draft.progress.get(id);
    if (known === undefined) this.#introduce(draft, id, false);
    else known.isLearner = false;
    draft.learners.delete(id);
    draft.learnersNext.delete(id);
    draft.incoming.add(id);
  }

  #makeLearner(draft: Draft, id: number): void {
    const known = draft.progress.get(id);
    if (known === undefined) {
      this.#introduce(draft, id, true);
      draft.learners.add(id);
      return;
    }
    if (known.isLearner) return;
    remove(draft, id);
    draft.progress.set(id, known);
    if (draft.outgoing.has(id)) {
      draft.learnersNext.add(id);
    } else {
      known.isLearner = true;
      draft.learners.add(id);
    }
  }

  /** A new member counts as heard of: a check of the quorum before its first answer would depose the leader. */
  #introduce(draft: Draft, id: number, isLearner: boolean): void {
    const { lastIndex, inflightLimits } = this.#options;
    const inflights = new Inflights(inflightLimits.maxMessages, inflightLimits.maxBytes);
    const next = Math.max(lastIndex, 1);
    draft.progress.set(id, new Progress({ match: 0, next, inflights, isLearner, recentActive: true }));
  }
}

/**
 * The membership that a stored configuration describes, everybody's progress fresh. It is reached by changes, as at run
 * time, so that whatever a change guarantees holds here, too.
 */
export function restoreMembership(state: ConfState, lastIndex: number, inflightLimits: InflightLimits): Membership {
  let membership: Membership = { configuration: emptyConfiguration, progress: new Map() };
  const changer = () => new Changer({ ...membership, lastIndex, inflightLimits });
  for (const nodeId of state.votersOutgoing) membership = changer().simple([{ type: 'addNode', nodeId }]);
  const incoming: ConfChangeSingle[] = [
    ...state.votersOutgoing.map((nodeId) => ({ type: 'removeNode', nodeId }) as const),
    ...state.voters.map((nodeId) => ({ type: 'addNode', nodeId }) as const),
    ...[...state.learners, ...state.learnersNext].map((nodeId) => ({ type: 'addLearner', nodeId }) as const),
  ];
  if (state.votersOutgoing.length > 0) return changer().enterJoint(state.autoLeave, incoming);
  for (const change of incoming) membership = changer().simple([change]);
  return membership;
}

interface Draft {
  readonly incoming: Set<number>;
  readonly outgoing: Set<number>;
  readonly learners: Set<number>;
  readonly learnersNext: Set<number>;
  readonly progress: ProgressMap;
}

/** An outgoing voter keeps its progress: it is still sent to and counted. */
function remove(draft: Draft, id: number): void {
  if (!draft.progress.has(id)) return;
  draft.incoming.delete(id);
  draft.learners.delete(id);
  draft.learnersNext.delete(id);
  if (!draft.outgoing.has(id)) draft.progress.delete(id);
}

function finish({ incoming, outgoing, learners, learnersNext, progress }: Draft, autoLeave: boolean): Membership {
  const membership = {
    configuration: { voters: { incoming, outgoing }, learners, learnersNext, autoLeave },
    progress,
  };
  checkMembership(membership);
  return membership;
}

/** The window of appends in flight is shared with the original: a change never resets it. */
function copyOf(progress: Progress): Progress {
  const copy = new Progress(progress);
  copy.sentCommit = progress.sentCommit;
  copy.state = progress.state;
  copy.pendingSnapshot = progress.pendingSnapshot;
  copy.appendsPaused = progress.appendsPaused;
  return copy;
}

function progressOf(draft: Draft, id: number): Progress {
  const progress = draft.progress.get(id);
  invariant(progress !== undefined, `no progress for ${id}`);
  return progress;
}

function checkMembership({ configuration, progress }: Membership): void {
  const { voters, learners, learnersNext, autoLeave } = configuration;
  for (const ids of [voters.incoming, voters.outgoing, learners, learnersNext]) {
    for (const id of ids) invariant(progress.has(id), `no progress for ${id}`);
  }
  for (const id of learnersNext) {
    invariant(voters.outgoing.has(id), `${id} is in learnersNext, but not in the outgoing voters`);
    invariant(progress.get(id)?.isLearner === false, `${id} is in learnersNext, but is already a learner`);
  }
  for (const id of learners) {
    invariant(!voters.outgoing.has(id) && !voters.incoming.has(id), `${id} is a learner and a voter`);
    invariant(progress.get(id)?.isLearner === true, `${id} is in learners, but not marked as one`);
  }
  invariant(voters.outgoing.size > 0 || learnersNext.size === 0, 'learnersNext outside a joint configuration');
  invariant(voters.outgoing.size > 0 || !autoLeave, 'autoLeave outside a joint configuration');
}

function symmetricDifference(a: ReadonlySet<number>, b: ReadonlySet<number>): number {
  let count = 0;
  for (const id of a) if (!b.has(id)) count++;
  for (const id of b) if (!a.has(id)) count++;
  return count;
}

function refused(why: string): RaftError {
  return new RaftError('INVALID_CONFIGURATION', why);
}
