import type { Producer } from '../logs/log-requests.js';
import type { Condition, WriteOperation } from '../requests/key-value-requests.js';
import type { CatalogueCommand } from './catalogue-command.js';
import type { LogUpkeepCommand } from './log-upkeep-command.js';
import type { OriginCommand } from './origin-command.js';

/** What a command carries whatever it does. `command-codec.ts` draws the bytes. */
export interface CommandHeader {
  /** The proposer's stamp, milliseconds since 1970: max(previous log time, its wall clock). */
  readonly logTimeMs: number;
  /** 0 = no session. */
  readonly sessionId: number;
  /** ≥ 1 within a session, else 0. */
  readonly requestNumber: number;
  /** The request is a repetition. */
  readonly retry: boolean;
  /** The slot of all its keys, or `manySlots`. */
  readonly slot: number;
  /** Epoch of the slot table that routed it; 0 = none given. */
  readonly epoch: number;
}

/** Stands for "no slot, or several" in a command's header. */
export const manySlots = 0xffff_ffff;

/** Key-value operations of one keyspace. */
export interface WriteCommand {
  readonly kind: 'independent' | 'atomic' | 'transact';
  readonly keyspaceId: number;
  /** Only `transact` has any. */
  readonly conditions: readonly Condition[];
  readonly operations: readonly WriteOperation[];
}

/** Makes a session that lives `ttlMs` beyond its last request. */
export interface OpenSessionCommand {
  readonly kind: 'openSession';
  readonly ttlMs: number;
}

/** Moves log time on; changes nothing else. */
export interface TimeCommand {
  readonly kind: 'time';
}

/** Limits that apply enforces, from the cluster settings. Applied only when `version` is newer. */
export interface SettingsCommand {
  readonly kind: 'settings';
  readonly version: number;
  readonly maxValueBytes: number;
  /** Slots of the cluster. */
  readonly slots: number;
}

/** Makes the group hold a log's origin. Succeeds where it does. */
export interface LogStartCommand {
  readonly kind: 'logStart';
  readonly logId: number;
  readonly origin: number;
}

/** Entries of one log, kept or lost together. */
export interface LogAppendCommand {
  readonly kind: 'logAppend';
  readonly logId: number;
  /** ≥ 1. */
  readonly recordCount: number;
  /** The records one after the other, each with its length in front (`encodeLogRecords`). */
  readonly recordBytes: Uint8Array;
  readonly producer?: Producer;
  readonly expectedLastSequence?: number;
}

/** Entries below `firstSequence` are no longer readable. */
export interface LogTrimCommand {
  readonly kind: 'logTrim';
  readonly logId: number;
  readonly firstSequence: number;
}

/** Ends a log's origin in the group; its id is never used again. */
export interface LogDropCommand {
  readonly kind: 'logDrop';
  readonly logId: number;
}

/** A change of the system group's catalogue. */
export interface CatalogueChange {
  readonly kind: 'catalogue';
  readonly change: CatalogueCommand;
}

/** A write among others in one entry. */
export interface CommandOfMany {
  readonly header: CommandHeader;
  readonly body: WriteCommand;
}

/** Writes that were proposed together, in one entry: performed and answered one after the other, each by itself. */
export interface JoinedCommand {
  readonly kind: 'joined';
  readonly commands: readonly CommandOfMany[];
}

/** What an entry does. */
export type CommandBody =
  | WriteCommand
  | JoinedCommand
  | OpenSessionCommand
  | TimeCommand
  | SettingsCommand
  | LogStartCommand
  | LogAppendCommand
  | LogTrimCommand
  | LogDropCommand
  | LogUpkeepCommand
  | OriginCommand
  | CatalogueChange;

/** A decoded entry. */
export interface Command {
  readonly header: CommandHeader;
  readonly body: CommandBody;
}
