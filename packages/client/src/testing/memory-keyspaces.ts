import { type KeyspaceDescription, KeyspaceMode } from '@shanghai/proto';
import { refusal } from './memory-error.js';

const unnamed: KeyspaceDescription = {
  ...{ name: '', keyspaceId: 0n, mode: KeyspaceMode.KEYSPACE_MODE_QUORUM },
  ...{ conflictsListed: 0n, conflictsFound: 0n, held: 0n },
};

/** What a server in memory answers about keyspaces: it has them in mode quorum alone. */
export function keyspaceHandlers() {
  const none = () => {
    throw refusal('UNSUPPORTED', 'this server has no keyspaces of mode multi-master');
  };
  return {
    createKeyspace: ({ name, mode }: { readonly name: string; readonly mode: KeyspaceMode }) => {
      if (mode === KeyspaceMode.KEYSPACE_MODE_MULTI_MASTER) return none();
      return { keyspace: { ...unnamed, name, keyspaceId: name === '' ? 0n : 1n } };
    },
    deleteKeyspace: none,
    listKeyspaces: () => ({ keyspaces: [unnamed] }),
    listConflicts: none,
    listHeld: none,
    giveVerdict: none,
  };
}
