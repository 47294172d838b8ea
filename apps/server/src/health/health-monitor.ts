/**
 * Sees about once a second how this node is and asks every other node how it is. What they answered lately, together with
 * what this node sees itself, is the state of the cluster as this node tells it: a follower learns so that another
 * node's disk is full, which nothing in consensus would tell it.
 *
 * Asking is a small unary call a second and pair of nodes. What rests stays at rest: consensus is not woken by it.
 */
import type { Clock, Timer } from '@shanghai/env';
import type { NodeStatus, ReadinessCheck, ShanghaiNode } from '../node.js';
import { CheckHistory } from './check-history.js';
import { type ClusterSight, copiesOf, type NodeReport } from './core/cluster-sight.js';
import { type ClusterView, clusterView } from './core/cluster-view.js';
import { type StuckMember, StuckMembers } from './core/stuck-members.js';
import type { HealthCalls, HealthListener } from './health-ports.js';
import type { HealthView, TimedCheck } from './health-view.js';
import { sightOf } from './sight-of.js';

/** What is watched, and how. */
export interface HealthMonitorParts {
  readonly node: Pick<ShanghaiNode, 'status' | 'readiness' | 'peerAddress'>;
  readonly calls: HealthCalls;
  readonly clock: Clock;
  readonly listener?: HealthListener;
}

/** Between looks, and between questions to a node. */
export const lookMs = 1_000;

interface Answer extends Omit<NodeReport, 'ageMs'> {
  readonly atMs: number;
}

/** The health of a node. Until `start` it knows only what the node itself sees. */
export class HealthMonitor implements HealthView {
  readonly #parts: HealthMonitorParts;
  readonly #history = new CheckHistory();
  readonly #stuckMembers = new StuckMembers();
  readonly #answers = new Map<number, Answer>();
  /** Nodes that have not answered yet. */
  readonly #asked = new Set<number>();
  readonly #readinessListeners = new Set<(isReady: boolean) => void>();
  #stuck: readonly StuckMember[] = [];
  #wasReady: boolean | undefined;
  #shown = '';
  #timer: Timer | undefined;

  constructor(parts: HealthMonitorParts) {
    this.#parts = parts;
  }

  /** Looks and asks from now on, until `stop`. */
  start(): void {
    this.#look();
    this.#timer = this.#parts.clock.setTimer(lookMs, () => this.start());
  }

  /** Idempotent. Questions under way are given up. */
  stop(): void {
    this.#timer?.cancel();
    this.#parts.calls.close();
  }

  checks(): readonly TimedCheck[] {
    return this.#checksOf(this.#parts.node.status());
  }

  cluster(status: NodeStatus): ClusterView {
    return clusterView(this.#sight(status, this.#checksOf(status)));
  }

  reports(): readonly NodeReport[] {
    const nowMs = this.#parts.clock.monotonicMs();
    const reports = [...this.#answers.values()].map(({ atMs, ...answer }) => ({ ...answer, ageMs: nowMs - atMs }));
    return reports.sort((a, b) => a.nodeId - b.nodeId);
  }

  onReadiness(listener: (isReady: boolean) => void): () => void {
    this.#readinessListeners.add(listener);
    return () => this.#readinessListeners.delete(listener);
  }

  #look(): void {
    const status = this.#parts.node.status();
    const checks = this.#checksOf(status);
    const sight = this.#sight(status, checks);
    this.#stuck = this.#stuckMembers.look(copiesOf(sight), this.#parts.clock.monotonicMs());
    this.#tell(checks, clusterView({ ...sight, stuck: this.#stuck }));
    this.#askOthers(status);
  }

  #tell(checks: readonly TimedCheck[], { state, reasons }: ClusterView): void {
    const isReady = checks.every(({ ok }) => ok);
    if (isReady !== this.#wasReady) {
      this.#wasReady = isReady;
      for (const listener of this.#readinessListeners) listener(isReady);
    }
    const { listener } = this.#parts;
    listener?.looked?.({ checks, state });
    const shown = JSON.stringify([state, reasons]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    listener?.clusterChanged?.({ state, reasons });
  }

  #askOthers({ nodes = [], nodeId: own }: NodeStatus): void {
    const others = nodes.filter(({ nodeId, grpcAddress }) => nodeId !== own && grpcAddress !== '');
    const known = new Set(others.map(({ nodeId }) => nodeId));
    for (const nodeId of this.#answers.keys()) if (!known.has(nodeId)) this.#answers.delete(nodeId);
    this.#parts.calls.keepOnly(others.map(({ grpcAddress }) => grpcAddress));
    for (const { nodeId, grpcAddress } of others) {
      if (!this.#asked.has(nodeId)) void this.#ask(nodeId, grpcAddress);
    }
  }

  async #ask(nodeId: number, address: string): Promise<void> {
    const { calls, clock } = this.#parts;
    this.#asked.add(nodeId);
    const atMs = clock.monotonicMs();
    try {
      const answer = await calls.ask(address);
      // Another node may have got the address.
      if (answer.nodeId === nodeId) this.#answers.set(nodeId, { ...answer, atMs });
    } catch {
      // Its last answer grows old.
    } finally {
      this.#asked.delete(nodeId);
    }
  }

  #checksOf(status: NodeStatus): readonly TimedCheck[] {
    const { node, clock } = this.#parts;
    return this.#history.timed([...node.readiness(), ...processChecks(status, node.peerAddress ?? '')], clock.nowMs());
  }

  #sight(status: NodeStatus, checks: readonly ReadinessCheck[]): ClusterSight {
    const uptimeMs = Math.max(0, this.#parts.clock.nowMs() - status.startedAtMs);
    return sightOf(status, { uptimeMs, checks, reports: this.reports(), stuck: this.#stuck });
  }
}

/** Checks of what surrounds the node. */
function processChecks(status: NodeStatus, peerAddress: string): readonly ReadinessCheck[] {
  const { nodes = [], nodeId, clockAlarm = false, clockOffsetMs } = status;
  const hasPeers = nodes.some((node) => node.nodeId !== nodeId);
  const isListening = !hasPeers || peerAddress !== '';
  const offBy = clockOffsetMs === undefined ? '' : ` by ${(clockOffsetMs / 1000).toFixed(1)} s`;
  return [
    {
      name: 'peers',
      ok: isListening,
      detail: isListening ? (hasPeers ? `listens at ${peerAddress}` : 'there are no others') : 'no listener for others',
    },
    {
      name: 'clock',
      ok: !clockAlarm,
      detail: clockAlarm ? `it differs from those of most nodes${offBy}; see to time synchronisation` : 'as the others',
    },
  ];
}
