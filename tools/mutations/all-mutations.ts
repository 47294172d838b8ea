import { backupMutations } from './backup-mutations.js';
import { bitcaskMutations } from './bitcask-mutations.js';
import { clientMutations } from './client-mutations.js';
import { envMutations } from './env-mutations.js';
import { hostMutations } from './host-mutations.js';
import { keyspaceMutations } from './keyspace-mutations.js';
import { logMutations } from './log-mutations.js';
import { memberMutations } from './member-mutations.js';
import { membershipMutations } from './membership-mutations.js';
import type { Mutation } from './mutation.js';
import { peerMutations } from './peer-mutations.js';
import { raftLogMutations } from './raft-log-mutations.js';
import { raftMutations } from './raft-mutations.js';
import { replicationMutations } from './replication-mutations.js';
import { serverMutations } from './server-mutations.js';
import { upkeepMutations } from './upkeep-mutations.js';
import { walMutations } from './wal-mutations.js';

/** Every bug that is planted, of all packages. */
export const allMutations: readonly Mutation[] = [
  ...envMutations,
  ...walMutations,
  ...bitcaskMutations,
  ...raftMutations,
  ...hostMutations,
  ...raftLogMutations,
  ...peerMutations,
  ...serverMutations,
  ...memberMutations,
  ...backupMutations,
  ...clientMutations,
  ...keyspaceMutations,
  ...upkeepMutations,
  ...replicationMutations,
  ...membershipMutations,
  ...logMutations,
];
