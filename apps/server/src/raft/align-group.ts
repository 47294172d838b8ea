/**
 * A data group in line with the catalogue: it knows the settings, and holds the logs that the catalogue names. Making and
 * deleting a log are two entries in two groups, and a crash, or another leader, may fall between them.
 *
 * Which logs are to go is judged so that one that is being made meanwhile never does: what the group holds is noted
 * before the catalogue is brought up to date, and a log is in the catalogue before its group starts it.
 */
import { invariant } from '@shanghai/env';
import type { Replica } from './replica.js';
import type { SystemGroup } from './system-group.js';

/** Proposes what is missing; only where this node leads the group. Resolves to whether anything was. */
export async function alignGroup(group: Replica, system: SystemGroup): Promise<boolean> {
  await group.readBarrier({ keyspace: '', level: 'linearizable' });
  const held = group.machine.logs.ids();
  await system.catchUp();
  const { cluster } = system.catalogue;
  invariant(cluster !== undefined, 'the cluster was made');
  const logs = system.catalogue.logs().filter(({ groupId }) => groupId === group.groupId);
  let isChanged = false;
  const { version, maxValueBytes } = cluster.settings;
  if (group.machine.visible.settingsVersion < version) {
    await group.propose({ kind: 'settings', version, maxValueBytes, slots: cluster.slots });
    isChanged = true;
  }
  for (const { logId, origin } of logs) {
    if (group.machine.logs.get(logId) !== undefined) continue;
    await group.propose({ kind: 'logStart', logId, origin });
    isChanged = true;
  }
  const wanted = new Set(logs.map(({ logId }) => logId));
  for (const logId of held) {
    if (wanted.has(logId)) continue;
    await group.propose({ kind: 'logDrop', logId });
    isChanged = true;
  }
  return isChanged;
}
