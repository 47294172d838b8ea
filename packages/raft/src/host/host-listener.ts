import type { ConfState } from '../core/configuration/configuration.js';
import type { StateType } from '../core/entry.js';

/** What a host tells whoever listens. Every method is optional and must not throw. */
export interface HostListener {
  /** A group's leader, term or this node's part in it has changed. */
  roleChanged?(event: {
    readonly groupId: number;
    readonly role: StateType;
    readonly leaderId: number;
    readonly term: number;
  }): void;
  configurationChanged?(event: {
    readonly groupId: number;
    readonly index: number;
    readonly configuration: ConfState;
  }): void;
  /** Proposals of this node that were applied together, and how long the first of them was in each stage, in ms. */
  applied?(event: {
    readonly groupId: number;
    readonly proposals: number;
    /** From the call until it was handed to the log and to the transport. */
    readonly queuedMs: number;
    /** From there until durable here. */
    readonly syncedMs: number;
    /** From the call until committed. */
    readonly committedMs: number;
    /** From the call until applied. */
    readonly appliedMs: number;
  }): void;
  /** Entries are given up. */
  compacted?(event: { readonly groupId: number; readonly index: number; readonly bytes: number }): void;
  /** A snapshot went to, or came from, another node. `error` absent: it arrived. */
  snapshotSent?(event: SnapshotEvent & { readonly to: number }): void;
  snapshotReceived?(event: SnapshotEvent & { readonly from: number }): void;
  /** The disk has not answered for longer than a leader may wait, or answers again. */
  diskStalled?(event: { readonly waitedMs: number }): void;
  diskAnswered?(event: { readonly waitedMs: number }): void;
  /** Enough peers have said what time it is for the own clock to be judged by, or there are none to ask any more. */
  clockKnown?(): void;
  /** The wall clock is off, or can be believed again. Milliseconds by which it is ahead of most peers'; negative: behind. */
  clockOff?(event: { readonly offsetMs: number }): void;
  clockAgrees?(event: { readonly offsetMs: number }): void;
  /** There is no space for the log of a group, or there is again. */
  logFull?(event: { readonly groupId: number }): void;
  logReopened?(event: { readonly groupId: number }): void;
  slept?(event: { readonly groupId: number }): void;
  woken?(event: { readonly groupId: number }): void;
  /** A group cannot go on; others may. */
  failed?(event: { readonly groupId: number; readonly error: Error }): void;
}

/** A snapshot's journey. */
export interface SnapshotEvent {
  readonly groupId: number;
  readonly index: number;
  readonly bytes: number;
  readonly durationMs: number;
  readonly error?: Error;
}
