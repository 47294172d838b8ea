/** Whom `bench bitcask` measures in a Node process. */
export type EngineName = 'shanghai' | 'classic-level' | 'lmdb';

/** A peer of the store; RocksDB runs in its own benchmark program. */
export type PeerName = 'classic-level' | 'lmdb' | 'rocksdb';

/** All peers, in the order of the report. */
export const peerNames: readonly PeerName[] = ['classic-level', 'lmdb', 'rocksdb'];

/** Peers from a list with commas; `all` or `none` stand alone. Throws `RangeError` for a name that is none. */
export function parsePeers(text: string): readonly PeerName[] {
  if (text === 'all') return peerNames;
  if (text === 'none') return [];
  return text.split(',').map((given) => {
    const name = peerNames.find((each) => each === given.trim());
    if (name === undefined)
      throw new RangeError(`'${given}' is no peer; there are: all, none, ${peerNames.join(', ')}`);
    return name;
  });
}
