/**
 * Membership in the server: on the peer listener, told by the node table where the others are and who was taken out, and
 * telling the peer book of nodes that the table here does not have yet. It decides nothing: who belongs, and who votes, is
 * in the node table alone.
 */
import type { Clock, Disk, Random, Timer } from '@shanghai/env';
import {
  type Member,
  type Membership,
  type MembershipEvent,
  type MembershipListener,
  type MembershipTransport,
  type MembershipTuning,
  openMembership,
} from '@shanghai/membership';
import type { NodeEntry } from '../apply/catalogue-command.js';
import type { NodeIdentity } from '../data-directory.js';
import type { PeerBook } from '../peers/peer-book.js';
import { EventJournal } from './event-journal.js';
import { membershipFile } from './membership-file.js';
import type { GossipEvent, GossipEventPage, GossipMember, NodeGossip } from './node-gossip.js';

/** What a node tells of its membership. Every method is optional and must not throw. */
export interface NodeMembershipListener
  extends Pick<MembershipListener, 'sent' | 'received' | 'unreadable' | 'failed'> {
  event?(event: GossipEvent): void;
  /** How many members are in each state, and whether this node hears nobody; after each change. */
  seen?(states: readonly Member['state'][], isIsolated: boolean): void;
}

/** What it stands on. */
export interface NodeMembershipParts {
  readonly identity: NodeIdentity;
  /** The data directory. */
  readonly path: string;
  readonly disk: Disk;
  /** Where the others reach this node's peer listener. */
  readonly address: string;
  /** What the others are told of this node. */
  readonly tags: Readonly<Record<string, string>>;
  readonly transport: MembershipTransport;
  readonly book: PeerBook;
  /** The node table as this node has it now. */
  readonly table: () => {
    readonly nodes: readonly NodeEntry[];
    readonly removedNodes: readonly Pick<NodeEntry, 'nodeId'>[];
  };
  /** Others are to be reached that were not known before. */
  readonly onNews: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly tuning: MembershipTuning;
  readonly listener: NodeMembershipListener;
}

/** Characters, of which none takes more than four bytes. */
const longestTag = 64;
/** How often the node table is looked at. */
const lookMs = 1_000;

/** A node's membership while it runs. */
export interface NodeMembership extends NodeGossip {
  /** Says more of this node, or other things. */
  say(tags: Readonly<Record<string, string>>): void;
  /** Says goodbye, and closes. */
  leave(): Promise<void>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** Begins to take part. */
export async function openNodeMembership(parts: NodeMembershipParts): Promise<NodeMembership> {
  const { identity, path, disk, address, transport, book, clock, random, tuning, listener } = parts;
  const { clusterId, nodeId, instanceId } = identity;
  const running: { current?: RunningMembership } = {};
  const early: MembershipEvent[] = [];
  const membership = await openMembership({
    clusterId,
    // People may call two nodes the same; the protocol takes names that are one's own, and the tag is what people see.
    self: { nodeId, name: `node-${nodeId}`, address, instanceId },
    tags: parts.tags,
    transport,
    clock,
    random,
    tuning,
    discovery: { addresses: async () => book.peers().map(({ peerAddress }) => peerAddress) },
    memory: membershipFile(disk, path, (error) => listener.failed?.(error)),
    onEvent: (event) => {
      if (running.current === undefined) early.push(event);
      else running.current.take(event);
    },
    listener,
  });
  const one = new RunningMembership(membership, parts);
  running.current = one;
  for (const event of early) one.take(event);
  return one;
}

class RunningMembership implements NodeMembership {
  readonly #membership: Membership;
  readonly #parts: NodeMembershipParts;
  readonly #journal: EventJournal;
  #tags: Readonly<Record<string, string>>;
  #timer: Timer | undefined;
  #table = '';

  constructor(membership: Membership, parts: NodeMembershipParts) {
    this.#membership = membership;
    this.#parts = parts;
    this.#tags = parts.tags;
    this.#journal = new EventJournal(parts.clock);
    this.#look();
    this.#tellSeen();
  }

  members(): readonly GossipMember[] {
    return this.#membership.members().map((member) => ({ ...member, name: nameOf(member) }));
  }

  view(): { readonly isIsolated: boolean; readonly viewHash: number } {
    const { isIsolated, viewHash } = this.#membership.status();
    return { isIsolated, viewHash };
  }

  events(after: number, limit: number): GossipEventPage {
    return this.#journal.page(after, limit);
  }

  waitForEvent(after: number, waitMs: number): Promise<void> {
    return this.#journal.wait(after, waitMs);
  }

  say(tags: Readonly<Record<string, string>>): void {
    this.#tags = { ...this.#tags, ...tags };
    if (!this.#membership.status().isClosed) this.#membership.setTags(this.#tags);
  }

  leave(): Promise<void> {
    this.#stop();
    return this.#membership.leave();
  }

  close(): Promise<void> {
    this.#stop();
    return this.#membership.close();
  }

  /** Something happened. */
  take(event: MembershipEvent): void {
    const { listener } = this.#parts;
    const kept = this.#journal.add(this.#describe(event));
    listener.event?.(kept);
    this.#tellSeen();
    if (event.type === 'joined' || event.type === 'up' || event.type === 'changed') this.#introduce(event.member);
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#journal.close();
  }

  #tellSeen(): void {
    const states = this.#membership.members().map(({ state }) => state);
    this.#parts.listener.seen?.(states, this.#membership.status().isIsolated);
  }

  /** What the table says is handed on: where others are, and who was taken out. */
  #look(): void {
    const { book, table, clock } = this.#parts;
    this.#timer = clock.setTimer(lookMs, () => this.#look());
    if (this.#membership.status().isClosed) return;
    const addresses = book.peers().map(({ peerAddress }) => peerAddress);
    const text = addresses.join();
    if (text !== this.#table) this.#membership.setAddresses(addresses);
    this.#table = text;
    for (const { nodeId } of table().removedNodes) {
      const known = this.#membership.member(nodeId);
      if (known !== undefined && known.state !== 'removed') this.#membership.remove(nodeId);
    }
  }

  /** A node that the table here does not have yet can be reached all the same. */
  #introduce({ nodeId, address, instanceId }: Member): void {
    const { book, table, onNews, identity } = this.#parts;
    const { nodes, removedNodes } = table();
    if (nodeId === identity.nodeId || [...nodes, ...removedNodes].some((one) => one.nodeId === nodeId)) return;
    book.learn([{ nodeId, peerAddress: address, instanceId }]);
    onNews();
  }

  #describe(event: MembershipEvent): Omit<GossipEvent, 'number' | 'atMs'> {
    const self = this.#membership.self();
    const of = (type: string, member: Member, before = '', detail = '') => {
      const { nodeId, address } = member;
      return { type, nodeId, name: nameOf(member), address, before, detail };
    };
    switch (event.type) {
      case 'joined':
      case 'up':
      case 'suspect':
      case 'down':
      case 'leaving':
      case 'left':
      case 'removed':
        return of(event.type, event.member, event.before);
      case 'changed':
        return of('changed', event.member, '', changesOf(event.previous, event.member));
      case 'nameConflict':
        return of('name_conflict', event.member, '', `node ${event.other.nodeId} has this name too`);
      case 'refuted':
        return of('refuted', self, '', `others held this node for ${event.accused}`);
      case 'stalled':
        return of('stalled', self, '', `nothing ran here for ${Math.round(event.delayMs)} ms`);
      case 'superseded':
        return of('superseded', self, '', `another process at ${event.by.address} goes by this node's id`);
      case 'refused':
        return of('refused', self, '', `by node ${event.by}: ${event.text}`);
      case 'isolated':
      case 'reconnected':
      case 'expelled':
        return of(event.type, self);
    }
  }
}

/** Tags of those that say something, cut to what a tag may hold. */
export function memberTags(said: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const tags: Record<string, string> = {};
  for (const [key, value = ''] of Object.entries(said)) if (value !== '') tags[key] = value.slice(0, longestTag);
  return tags;
}

/** What people call a member. */
function nameOf({ name, tags }: Member): string {
  return tags.name ?? name;
}

function changesOf(previous: Member, member: Member): string {
  const changes: string[] = [];
  if (previous.address !== member.address) changes.push(`address was ${previous.address}`);
  if (previous.instanceId !== member.instanceId) changes.push('another instance');
  const keys = new Set([...Object.keys(previous.tags), ...Object.keys(member.tags)]);
  for (const key of keys) {
    if (previous.tags[key] !== member.tags[key]) changes.push(`${key} = ${member.tags[key] ?? 'nothing'}`);
  }
  return changes.join(', ');
}
