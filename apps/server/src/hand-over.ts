/** Leaving leadership before a node closes, so that nobody waits for an election. */
import type { Clock } from '@shanghai/env';
import type { Broadcast } from './apply/broadcast.js';
import type { Replica } from './raft/replica.js';
import type { Gate } from './requests/gate.js';

/** What handing over stands on. */
export interface HandOverParts {
  readonly gate: Pick<Gate, 'leave' | 'endStreams'>;
  readonly replicas: readonly Replica[];
  readonly clock: Clock;
  /** Leaders or terms have changed. */
  readonly changed: Broadcast;
}

/** Where a successor did not take over, how soon it is asked again. */
const againMs = 50;

/** Lets others lead every group; resolves when this node knows who does, or the time is over. Then streams end. */
export async function handOverAll(parts: HandOverParts, withinMs: number): Promise<void> {
  const { gate, replicas, clock } = parts;
  gate.leave();
  const endMs = clock.monotonicMs() + withinMs;
  await Promise.all(replicas.map((replica) => handOver(replica, parts, endMs)));
  gate.endStreams();
}

async function handOver({ log }: Replica, { clock, changed }: HandOverParts, endMs: number): Promise<void> {
  while (clock.monotonicMs() < endMs) {
    // To the best of the others; there is none where this node is alone, or hears nobody.
    if (log.status().role === 'leader' && (await log.stepAside()) === undefined) return;
    const { role, leaderNodeId } = log.status();
    if (role !== 'leader' && leaderNodeId !== 0) return;
    const over = new AbortController();
    const timer = clock.setTimer(againMs, () => over.abort());
    await changed.wait(over.signal);
    timer.cancel();
  }
}
