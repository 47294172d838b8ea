import { expect, test } from 'vitest';
import { watchLogTime } from './log-time-watch.js';
import { Machine } from './machine.js';
import type { ServerProcess } from './server-process.js';
import { VirtualNetwork } from './virtual-network.js';
import { VirtualWorld } from './virtual-world.js';

const hourMs = 3_600_000;

/** Machines whose log time is what a test says, a while after the first machine's clock jumped by hours and back. */
async function watched(count: number, logTimeAheadMs: number): Promise<string | undefined> {
  const world = new VirtualWorld({ seed: 1 });
  const room = { world, network: new VirtualNetwork(world), directory: new Map() };
  let logTimeMs = 0;
  const configuration = { voters: Array.from({ length: count }, (_, i) => i + 1), votersOutgoing: [], learners: [] };
  const groups = () => [{ groupId: 1, logTimeMs, consensus: { configuration } }];
  const boot = async () => ({ node: { status: () => ({ groups: groups() }) } });
  const machines = Array.from({ length: count }, (_, i) => new Machine(i + 1, room, boot as never));
  for (const machine of machines) machine.start();
  watchLogTime(world, machines as unknown as Machine<ServerProcess>[]);
  const [first] = machines as [Machine<unknown>];
  first.jump(hourMs);
  // So short that nobody looks.
  first.jump(0);
  logTimeMs = first.clock.nowMs() + logTimeAheadMs;
  return world.runUntil(1_000).then(
    () => undefined,
    (error: Error) => error.message,
  );
}

test('log time may be where a clock was only where there is no other one', async () => {
  expect(await watched(1, hourMs)).toBeUndefined();
  expect(await watched(1, hourMs + 60_000)).toMatch(/^log time: \d+ ms ahead of every clock, in group 1 on 1$/);
  expect(await watched(3, 0)).toBeUndefined();
  expect(await watched(3, hourMs)).toMatch(/^log time: \d+ ms ahead of every clock/);
});
