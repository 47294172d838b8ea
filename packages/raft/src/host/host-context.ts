import type { Clock, Random } from '@shanghai/env';
import type { PeerTransport } from '../ports/peer-transport.js';
import type { HostListener } from './host-listener.js';
import type { HostLimits } from './host-options.js';
import type { Outbox } from './outbox.js';

/** A group as its host runs it. */
export interface HostedGroup {
  readonly groupId: number;
  /** Does a turn's share of the work there is. Returns whether some is left. */
  run(): boolean;
  /** A unit of time has passed. */
  tick(nowMs: number): void;
}

/** What a host gives its groups. */
export interface HostContext {
  readonly nodeId: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: HostLimits;
  readonly listener: HostListener;
  readonly transport: PeerTransport;
  readonly outbox: Outbox;
  /** The disk has been silent for longer than a leader may wait. */
  readonly isStalled: boolean;
  /** Of all groups together. */
  snapshotsSent: number;
  /** The group has work; it will be run in the next turn. */
  schedule(group: HostedGroup): void;
  /** Whether the group is to be ticked. */
  setTicking(group: HostedGroup, isTicking: boolean): void;
  /** Who is in a group of this host has changed. */
  membersChanged(): void;
  /** When a node was last heard, by the clock; `undefined` = never. */
  heardMs(nodeId: number): number | undefined;
  /** No group can go on. */
  fail(error: Error): void;
}
