import type { FuzzTarget } from './fuzz-target.js';
import { backupTargets } from './targets/backup-targets.js';
import { bitcaskTargets } from './targets/bitcask-targets.js';
import { fileTargets } from './targets/file-targets.js';
import { membershipTargets } from './targets/membership-targets.js';
import { raftTargets } from './targets/raft-targets.js';
import { replicationTargets } from './targets/replication-targets.js';
import { stateTargets } from './targets/state-targets.js';
import { textTargets } from './targets/text-targets.js';
import { walTargets } from './targets/wal-targets.js';

/** Every target there is. */
export const fuzzTargets: readonly FuzzTarget[] = [
  ...walTargets,
  ...bitcaskTargets,
  ...raftTargets,
  ...replicationTargets,
  ...membershipTargets,
  ...stateTargets,
  ...fileTargets,
  ...backupTargets,
  ...textTargets,
];
