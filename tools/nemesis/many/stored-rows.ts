/** The rows of keyspaces of mode multi-master as they lie in the store of a node that does not run. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { openBitcask } from '@shanghai/bitcask';
import { nodeDisk } from '@shanghai/env';

/** A node's own group, as docs/formats/data-directory.md names its folder. */
const ownGroupFolder = join('groups', '16777215');
/** docs/formats/state-machine.md, "Keyspaces". */
const rowPrefix = 0x21;
const duePrefix = 0x22;

/** What a store holds of rows. */
export interface StoredRows {
  readonly rows: number;
  /** Rows that have something to forget once all members have it: they are not yet the same everywhere. */
  readonly due: number;
  /** SHA-256 over all rows, keys and values, in their order. */
  readonly sum: string;
}

/** Reads a data directory that no process has open. */
export async function readStoredRows(dataDirectory: string): Promise<StoredRows> {
  const directory = join(dataDirectory, ownGroupFolder);
  const store = await openBitcask({ directory, disk: nodeDisk(), readOnly: true, lock: false });
  try {
    const hash = createHash('sha256');
    let rows = 0;
    for await (const { key, value } of store.range({ prefix: Buffer.of(rowPrefix) })) {
      rows++;
      hash.update(`${key.length} ${value.length} `).update(key).update(value);
    }
    let due = 0;
    for await (const _ of store.range({ prefix: Buffer.of(duePrefix), keysOnly: true })) due++;
    return { rows, due, sum: hash.digest('hex') };
  } finally {
    await store.close();
  }
}
