import type { Clock, Random } from '@shanghai/env';
import type { CoalescingOptions } from '../core/event-coalescer.js';
import type { Member } from '../core/member.js';
import type { MembershipEvent } from '../core/membership-event.js';
import type { MembershipTuning } from '../core/membership-options.js';
import type { Message } from '../core/message.js';
import type { Discovery } from '../ports/discovery.js';
import type { MembershipMemory } from '../ports/membership-memory.js';
import type { MembershipTransport } from '../ports/membership-transport.js';

/** Who a node is. */
export interface MembershipSelf {
  /** From 1 on; never given to another node. */
  readonly nodeId: number;
  /** For people; no two members that live have the same. */
  readonly name: string;
  /** `host:port` at which others reach this node's transport. */
  readonly address: string;
  /** Other for each directory or installation: tells two processes with one node id apart. */
  readonly instanceId: string;
}

/** What is told beside events. Every method is optional and must not throw. */
export interface MembershipListener {
  /** A frame of so many bytes went to so many nodes, or came. */
  sent?(type: Message['type'], bytes: number, receivers: number): void;
  received?(type: Message['type'], bytes: number): void;
  /** A frame that cannot be read was dropped. */
  unreadable?(from: number, error: Error): void;
  /** The memory or the discovery failed; it is tried again. */
  failed?(error: unknown): void;
}

/** What a membership is opened with. */
export interface MembershipOptions {
  readonly clusterId: string;
  readonly self: MembershipSelf;
  /** What others are told of this node, for instance where it is and what it can do. Default none. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly transport: MembershipTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Where others may be. Default: nobody, which makes this the first node. */
  readonly discovery?: Discovery;
  /** Default: nothing is remembered. */
  readonly memory?: MembershipMemory;
  /** Times and numbers. Default those of the profile `lan`. */
  readonly tuning?: MembershipTuning;
  /** Called for each event, in their order; must not throw, and not call back into the membership. */
  readonly onEvent?: (event: MembershipEvent) => void;
  /** Fewer events of members. Default: each at once. */
  readonly coalesce?: CoalescingOptions;
  readonly listener?: MembershipListener;
}

/** A member and when it was heard. */
export interface MemberSight extends Member {
  /** Milliseconds since something was heard from it, at first hand or by one that asked it for this node. `undefined`: never; nodes that this one does not observe are rarely heard. */
  readonly heardAgoMs: number | undefined;
  /** Whether this node observes it. */
  readonly isObserved: boolean;
}

/** How a membership is. */
export interface MembershipStatus {
  readonly isIsolated: boolean;
  readonly isClosed: boolean;
  /** Records known, also of those who are down or gone. */
  readonly members: number;
  /** Equal on nodes that know the same. */
  readonly viewHash: number;
  /** Records that wait to be gossiped. */
  readonly rumours: number;
  readonly framesSent: number;
  readonly bytesSent: number;
  readonly framesReceived: number;
  readonly bytesReceived: number;
}

/**
 * A node's part in a cluster's membership. Open until `leave`, `close`, or the event `superseded` or `expelled`; from then
 * on it takes part no more, and what it says is what it knew last.
 */
export interface Membership {
  self(): Member;
  /** All that are known, this node among them, in the order of their ids. */
  members(): MemberSight[];
  member(nodeId: number): MemberSight | undefined;
  status(): MembershipStatus;
  /** Says something else of this node. Throws `MembershipError` `LIMIT_EXCEEDED` or `CLOSED`. */
  setTags(tags: Readonly<Record<string, string>>): void;
  /** Further places where others may be; replaces what was given this way before. */
  setAddresses(addresses: readonly string[]): void;
  /** Takes a member out for good, and tells everybody: it is not tried again, and cannot come back under this id. */
  remove(nodeId: number): void;
  /** Says goodbye, waits until that has gone round, and closes. Idempotent. */
  leave(): Promise<void>;
  /** Stops without a word, as a crash would. Idempotent. */
  close(): Promise<void>;
}
