import type { Entry, Snapshot } from './entry.js';

/** What a message asks or says. The names are etcd/raft's, so that traces can be compared. */
export type MessageType =
  | 'MsgHup'
  | 'MsgBeat'
  | 'MsgProp'
  | 'MsgApp'
  | 'MsgAppResp'
  | 'MsgVote'
  | 'MsgVoteResp'
  | 'MsgSnap'
  | 'MsgHeartbeat'
  | 'MsgHeartbeatResp'
  | 'MsgUnreachable'
  | 'MsgSnapStatus'
  | 'MsgCheckQuorum'
  | 'MsgTransferLeader'
  | 'MsgTimeoutNow'
  | 'MsgReadIndex'
  | 'MsgReadIndexResp'
  | 'MsgPreVote'
  | 'MsgPreVoteResp'
  | 'MsgStorageAppend'
  | 'MsgStorageAppendResp'
  | 'MsgStorageApply'
  | 'MsgStorageApplyResp'
  | 'MsgForgetLeader';

/** The target and sender of storage work that appends. No node has this id. */
export const appendThread = -1;

/** The target and sender of storage work that applies. No node has this id. */
export const applyThread = -2;

/**
 * A message between nodes, or between a node and its own storage. Immutable once sent. Every field is always there, so
 * that all messages have one shape; what a type does not use is 0, empty or absent.
 */
export interface Message {
  readonly type: MessageType;
  readonly to: number;
  readonly from: number;
  /** 0: of this node's own. */
  readonly term: number;
  /** Term of the entry at `index`; in a rejection, of that at `rejectHint`. */
  readonly logTerm: number;
  readonly index: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
  /** `MsgStorageAppend`: the vote to write. */
  readonly vote: number;
  readonly snapshot: Snapshot | undefined;
  readonly reject: boolean;
  readonly rejectHint: number;
  /** Heartbeats: the read round. Reads: the reader's own number. Votes: 1 = by a leader's transfer. */
  readonly context: number;
  /** Storage work: what to send, or step, when it is done. */
  readonly responses: readonly Message[];
}

/** The fields of a message that are not empty. */
export type MessageFields = Pick<Message, 'type'> & Partial<Message>;

const noEntries: readonly Entry[] = [];
const noMessages: readonly Message[] = [];

/** A message with every field. `from` and `term` may be given apart: spreading objects costs more than the rest of a message. */
export function createMessage(fields: MessageFields, from = fields.from ?? 0, term = fields.term ?? 0): Message {
  return {
    type: fields.type,
    to: fields.to ?? 0,
    from,
    term,
    logTerm: fields.logTerm ?? 0,
    index: fields.index ?? 0,
    entries: fields.entries ?? noEntries,
    commit: fields.commit ?? 0,
    vote: fields.vote ?? 0,
    snapshot: fields.snapshot,
    reject: fields.reject ?? false,
    rejectHint: fields.rejectHint ?? 0,
    context: fields.context ?? 0,
    responses: fields.responses ?? noMessages,
  };
}

/** What `context` of a vote says when a leader asked for the election: those who still hear the leader vote all the same. */
export const transferContext = 1;

/** Whether a target is this node's own storage. */
export function isLocalTarget(id: number): boolean {
  return id === appendThread || id === applyThread;
}

const localTypes = new Set<MessageType>([
  'MsgHup',
  'MsgBeat',
  'MsgUnreachable',
  'MsgSnapStatus',
  'MsgCheckQuorum',
  'MsgStorageAppend',
  'MsgStorageAppendResp',
  'MsgStorageApply',
  'MsgStorageApplyResp',
]);

/** Whether a message never comes over a network. */
export function isLocalMessage(type: MessageType): boolean {
  return localTypes.has(type);
}

const responseTypes = new Set<MessageType>([
  'MsgAppResp',
  'MsgVoteResp',
  'MsgHeartbeatResp',
  'MsgUnreachable',
  'MsgReadIndexResp',
  'MsgPreVoteResp',
  'MsgStorageAppendResp',
  'MsgStorageApplyResp',
]);

/** Whether a message answers one, so that it only means something from a member. */
export function isResponse(type: MessageType): boolean {
  return responseTypes.has(type);
}
