/**
 * A new group begins when its first members have met. Whoever lost all it had looks like one that begins: two of three
 * nodes that were wiped, and are told again whom to make a cluster with, would be a majority and make an empty group while
 * the third one, which has everything and refuses them, can do nothing. So a node whose log holds no more than its
 * beginning neither stands for election nor votes until it has heard every voter: to be heard by a node one must be
 * known to it. A leader it follows whoever it hears: those who elected it had met.
 */
import type { MessageType } from '../core/message.js';
import type { RaftMarks } from '../core/status.js';
import { originIndex, originTerm } from './align-log.js';

/** What an election is made of. */
const electing: ReadonlySet<MessageType> = new Set(['MsgVote', 'MsgPreVote', 'MsgTimeoutNow']);

/** What a beginning looks at. */
export interface BeginningParts {
  /** Whether the group begins so. */
  readonly isTogether: boolean;
  readonly marks: () => RaftMarks;
  readonly members: () => readonly number[];
  /** Whether a node was heard since this one started; of itself: yes. */
  readonly isHeard: (nodeId: number) => boolean;
}

/** The beginning of one group on one node. */
export class Beginning {
  readonly #parts: BeginningParts;
  #isOver: boolean;

  constructor(parts: BeginningParts) {
    this.#parts = parts;
    this.#isOver = !parts.isTogether;
  }

  /** Whether this node may not yet have a say in who leads. */
  isAwaited(): boolean {
    if (this.#isOver) return false;
    this.#isOver = this.#hasBegun() || this.unheard().length === 0;
    return !this.#isOver;
  }

  /** Whether a message is to be passed over. */
  isPremature(type: MessageType): boolean {
    return !this.#isOver && electing.has(type) && this.isAwaited();
  }

  /** Those who are waited for, ascending. */
  unheard(): readonly number[] {
    if (this.#isOver) return [];
    const { members, isHeard } = this.#parts;
    return members()
      .filter((nodeId) => !isHeard(nodeId))
      .sort((a, b) => a - b);
  }

  #hasBegun(): boolean {
    const { term, lastIndex } = this.#parts.marks();
    return term > originTerm || lastIndex > originIndex;
  }
}
