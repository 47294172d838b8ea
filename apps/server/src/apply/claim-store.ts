/**
 * Whose store it is. A group's store that was copied in from another data directory is a whole, valid store; nothing in
 * its files says that it is not this one's, and the log may even go on behind it. So each store carries the cluster and
 * the group it was made for: the same on every replica, and not part of the replicated state.
 */
import { BitcaskError } from '@shanghai/bitcask';
import { DataDirectoryError } from '../data-directory-error.js';
import { statePrefix } from './state-keys.js';
import type { StateStore } from './state-store.js';

const ownerKey = Uint8Array.of(statePrefix.owner);

/**
 * Throws `DataDirectoryError` `DAMAGED` where the store in `directory` was made for another group or cluster. A store
 * that says nothing (a new one, or of an earlier version) is claimed; without space for that it is claimed another time.
 */
export async function claimStore(
  store: StateStore,
  directory: string,
  clusterId: string,
  groupId: number,
): Promise<void> {
  const owner = `${clusterId}/${groupId}`;
  const found = await store.getEntry(ownerKey, { horizonMs: 0 });
  if (found === undefined) {
    await store.batch([{ type: 'put', key: ownerKey, value: Buffer.from(owner) }]).catch((error: unknown) => {
      if (!(error instanceof BitcaskError) || error.code !== 'DISK_FULL') throw error;
    });
    return;
  }
  const foundOwner = Buffer.from(found.value).toString();
  if (foundOwner === owner) return;
  throw new DataDirectoryError(
    'DAMAGED',
    `the store in '${directory}' belongs to '${foundOwner}' (cluster/group), expected '${owner}'; put the right one back`,
  );
}
