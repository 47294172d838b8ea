/**
 * Log time ends keys and sessions on every replica, for good. So whatever one wrong clock shows, log time is never far
 * ahead of what the latest of all clocks would show without its jump.
 *
 * A node alone has nobody to ask: whether its clock jumped, or it was down for so long, it cannot tell when it starts.
 * It is promised to follow its clock, in steps, too, so what that has shown is as far as log time may be there.
 *
 * Where all clocks are behind log time, it still goes on, by the time that passes where a group is led by a node whose
 * clock is off: so the limit goes on, too, as fast as the fastest clock.
 */
import { Violation } from '../raft/truth.js';
import type { Machine } from './machine.js';
import type { ServerProcess } from './server-process.js';
import type { VirtualWorld } from './virtual-world.js';

/** A clock that is off by less is believed. */
const believedMs = 10_000;
/** What clocks that run too fast gain between two looks at each other. */
const slackMs = 5_000;
const everyMs = 100;

/** Looks at the log time of all groups on all machines, from now on. */
export function watchLogTime(world: VirtualWorld, machines: readonly Machine<ServerProcess>[]): void {
  let latestMs = 0;
  let lookedMs = world.nowMs;
  let isAlone = machines.length === 1;
  const look = () => {
    // Also where it has got company since the last look.
    const wasAlone = isAlone;
    isAlone &&= machines.every(hasNoPeers);
    const shown = machines.map((one) => (wasAlone ? one.latestShownMs : one.clock.nowMs() - one.jumpMs));
    const passedMs = (world.nowMs - lookedMs) * Math.max(1, ...machines.map((one) => one.clockConditions.rate));
    lookedMs = world.nowMs;
    latestMs = Math.max(latestMs + passedMs, ...shown);
    for (const { id, process } of machines) {
      for (const { groupId, logTimeMs } of process?.node.status().groups ?? []) {
        const aheadMs = Math.round(logTimeMs - latestMs);
        if (aheadMs <= believedMs + slackMs) continue;
        throw new Violation(`log time: ${aheadMs} ms ahead of every clock, in group ${groupId} on ${id}`);
      }
    }
  };
  const again = () => {
    world.check(look);
    world.queue.after(everyMs, again);
  };
  again();
}

/** Whether no group of a machine has another member, as far as can be seen. */
function hasNoPeers({ process }: Machine<ServerProcess>): boolean {
  const groups = process?.node.status().groups ?? [];
  return groups.every(({ consensus }) => {
    if (consensus === undefined) return true;
    const { voters, votersOutgoing, learners } = consensus.configuration;
    return voters.length + votersOutgoing.length + learners.length <= 1;
  });
}
