/**
 * Log time ends keys and sessions on every replica, for good. So whatever one wrong clock shows, log time is never far
 * ahead of what the latest of all clocks would show without its jump.
 *
 * A node alone has nobody to ask: whether its clock jumped, or it was down for so long, it cannot tell when it starts.
 * It is promised to follow its clock, in steps, too, so what that has shown is as far as log time may be there.
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
  const look = () => {
    const isAlone = machines.length === 1;
    const shown = machines.map((one) => (isAlone ? one.latestShownMs : one.clock.nowMs() - one.jumpMs));
    latestMs = Math.max(latestMs, ...shown);
    for (const { id, process } of machines) {
      for (const { groupId, logTimeMs } of process?.node.status().groups ?? []) {
        const aheadMs = logTimeMs - latestMs;
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
