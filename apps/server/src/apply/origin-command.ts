import type { Hlc, OriginMark, StreamId } from '@shanghai/replication';
import type { Producer } from '../logs/log-requests.js';
import type { CommandBody } from './command.js';
import type { KeyspaceCommand } from './keyspace-command.js';
import type { StreamRun } from './stream-run.js';

/** Entries of one log that this node writes as an origin, kept or refused together. */
export interface OriginAppend {
  readonly logId: number;
  readonly producer?: Producer;
  readonly expectedLastSequence?: number;
  readonly firstHlc: Hlc;
  readonly lastHlc: Hlc;
  /** ≥ 1. */
  readonly count: number;
  /** As in a `StreamRun`. */
  readonly bytes: Uint8Array;
}

/** Appends to streams of this node, each judged by itself. */
export interface OriginAppendCommand {
  readonly kind: 'originAppend';
  readonly appends: readonly OriginAppend[];
}

/** Runs that came from other nodes. */
export interface OriginReceiveCommand {
  readonly kind: 'originReceive';
  readonly runs: readonly StreamRun[];
}

/** What comes before `firstSequence` of a stream will not come: nobody has it any more. */
export interface OriginSkipCommand {
  readonly kind: 'originSkip';
  readonly stream: StreamId;
  readonly firstSequence: number;
}

/** What comes before `firstSequence` of a stream is no longer readable here. */
export interface OriginTrimCommand {
  readonly kind: 'originTrim';
  readonly stream: StreamId;
  readonly firstSequence: number;
}

/** From here on this node writes in this epoch. */
export interface OriginEpochCommand {
  readonly kind: 'originEpoch';
  readonly origin: number;
  readonly epoch: number;
}

/** The copy of a stream here is given up: it is damaged, and comes anew from others. */
export interface OriginForgetCommand {
  readonly kind: 'originForget';
  readonly stream: StreamId;
}

/** The streams of a log go, for good; its id is never used again. */
export interface OriginDropCommand {
  readonly kind: 'originDrop';
  readonly logId: number;
}

/** This node gives out no stamp up to this one any more. */
export interface HlcCeilingCommand {
  readonly kind: 'hlcCeiling';
  readonly hlc: Hlc;
}

/** The node's program begins to write, or has ended in order. */
export interface OriginRunCommand {
  readonly kind: 'originRun';
  readonly run: number;
  readonly isClosed: boolean;
}

/** Whether a command is one of a node's own group. */
export function isOriginCommand(body: CommandBody): body is OriginCommand {
  return (originKinds as readonly string[]).includes(body.kind);
}

const originKinds: readonly OriginCommand['kind'][] = [
  ...(['originAppend', 'originReceive', 'originSkip', 'originTrim', 'originEpoch', 'originDrop'] as const),
  ...(['originForget', 'hlcCeiling', 'originMarks', 'originRun'] as const),
  ...(['keyspaceSettle', 'keyspaceRows', 'keyspaceClean', 'keyspacePurge'] as const),
];

/** What this node knows of other origins. */
export interface OriginMarksCommand {
  readonly kind: 'originMarks';
  readonly marks: readonly OriginMark[];
}

/** What entries of a node's own group do. */
export type OriginCommand =
  | OriginAppendCommand
  | OriginReceiveCommand
  | OriginSkipCommand
  | OriginTrimCommand
  | OriginEpochCommand
  | OriginDropCommand
  | OriginForgetCommand
  | HlcCeilingCommand
  | OriginMarksCommand
  | OriginRunCommand
  | KeyspaceCommand;
