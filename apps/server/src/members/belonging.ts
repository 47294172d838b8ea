/**
 * Whether this node still belongs to its cluster. One that was taken out while it was away hears nobody any more, and the
 * entry that took it out never reaches it: so whoever hears no leader asks the others what the node table says of it. The
 * answer is also news of who is in the cluster by now, for a node that was away for so long that it knows none of them.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { LeaderCalls } from '../forward/leader-calls.js';
import type { PeerBook } from '../peers/peer-book.js';
import type { SystemGroup } from '../raft/system-group.js';
import type { MemberAddress, MemberVerdict } from './node-members.js';

/** What it stands on. */
export interface BelongingParts {
  readonly nodeId: number;
  readonly instanceId: string;
  readonly system: SystemGroup;
  readonly calls: Pick<LeaderCalls, 'checkMember'>;
  readonly book: PeerBook;
  readonly clock: Clock;
  /** Whom this node was told of when it joined. */
  readonly told: readonly MemberAddress[];
  /** Others are to be reached that were not known before. */
  readonly onNews: () => void;
  /** This node does not belong any more. Called once. */
  readonly onOutcast: (verdict: 'removed' | 'replaced') => void;
}

const lookMs = 1_000;
/** A leader that was not heard of for longer may be one of a cluster without this node. */
const silenceMs = 3_000;

/** The question, asked again and again while nobody is heard. */
export class Belonging {
  readonly #parts: BelongingParts;
  #timer: Timer | undefined;
  #isStopped = false;
  #next = 0;

  constructor(parts: BelongingParts) {
    this.#parts = parts;
  }

  /** Goes on by itself. */
  start(): void {
    this.#lookLater();
  }

  /** Ends it. */
  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  #lookLater(): void {
    if (this.#isStopped) return;
    this.#timer = this.#parts.clock.setTimer(lookMs, () => {
      void this.#look().finally(() => this.#lookLater());
    });
  }

  async #look(): Promise<void> {
    if (!this.#hearsNobody()) return;
    const addresses = this.#addresses();
    const address = addresses[this.#next++ % Math.max(1, addresses.length)];
    if (address === undefined) return;
    const { calls, nodeId, instanceId } = this.#parts;
    const answer = await calls.checkMember(address, nodeId, instanceId).catch(() => undefined);
    if (answer === undefined || this.#isStopped) return;
    this.#judge(answer.verdict, answer.members);
  }

  #judge(verdict: MemberVerdict, members: readonly MemberAddress[]): void {
    const { nodeId, book, onNews, onOutcast } = this.#parts;
    if (verdict === 'removed' || verdict === 'replaced') {
      this.stop();
      onOutcast(verdict);
      return;
    }
    book.learn(members.filter((one) => one.nodeId !== nodeId));
    onNews();
  }

  #hearsNobody(): boolean {
    const { role, leaderNodeId, raft } = this.#parts.system.replica.log.status();
    if (role === 'leader') return false;
    return leaderNodeId === 0 || (raft.leaderHeardMsAgo ?? Number.POSITIVE_INFINITY) > silenceMs;
  }

  #addresses(): readonly string[] {
    const { nodeId, system, told } = this.#parts;
    const known = [...system.catalogue.nodes, ...told].filter((one) => one.nodeId !== nodeId);
    return [...new Set(known.map(({ grpcAddress }) => grpcAddress).filter((address) => address !== ''))];
  }
}
