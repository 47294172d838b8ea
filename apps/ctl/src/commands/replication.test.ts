import { expect, test } from 'vitest';
import { createMemoryNode } from '../testing/memory-connection.js';
import { runCommand } from '../testing/run-command.js';

test('replication status shows what a follower lacks of an origin, and why; pause and resume name their follower', async () => {
  const node = createMemoryNode();
  node.replication = {
    nodeId: 1,
    isActive: true,
    followers: [
      {
        origin: 1,
        follower: 3,
        state: 'paused',
        reason: 'shipping was paused',
        heldEntries: 5,
        lagEntries: 7,
        lagMs: 2000,
        isShipping: false,
      },
    ],
    shipping: [],
    unreachable: [2],
  };
  const { stdout, stderr } = await runCommand(['replication', 'status'], { node });
  expect(stdout).toMatch(/ORIGIN +FOLLOWER +STATE/);
  expect(stdout).toMatch(/1 +3 +paused +5 +7/);
  expect(stderr).toContain('not reached: node 2');
  await runCommand(['replication', 'pause', '3'], { node });
  await runCommand(['replication', 'resume', 'all'], { node });
  expect(node.calls).toEqual(expect.arrayContaining(['pauseReplication 3 true', 'pauseReplication all false']));
  expect((await runCommand(['replication', 'pause', 'x'], { node })).code).toBe(2);
});
