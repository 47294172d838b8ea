import { type Disk, readWholeFile, replaceFile } from '@shanghai/env';
import type { Snapshot, SnapshotFile } from '@shanghai/raft';

/** What is being gathered, and whether it is all there. */
export interface SnapshotJournal {
  readonly term: number;
  readonly index: number;
  readonly data: Uint8Array;
  readonly files: readonly SnapshotFile[];
  /** Every file is there, checked and synced. */
  readonly complete: boolean;
}

const format = 1;
const maxJournalBytes = 64 * 1024 * 1024;

/** The journal's name; no file of a snapshot has it. */
export const journalName = 'journal';

/** The journal in a directory; `undefined` where there is none that this version can read. */
export async function readJournal(disk: Disk, directory: string): Promise<SnapshotJournal | undefined> {
  const bytes = await readWholeFile(disk, `${directory}/${journalName}`, maxJournalBytes);
  if (bytes === undefined) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(bytes).toString());
    if (parsed.format !== format || !Array.isArray(parsed.files)) return undefined;
    const { term, index, files, complete } = parsed;
    return { term, index, files, complete, data: Buffer.from(parsed.data, 'base64') };
  } catch {
    return undefined;
  }
}

/** Durable when it resolves. */
export function writeJournal(disk: Disk, directory: string, journal: SnapshotJournal): Promise<void> {
  const { term, index, data, files, complete } = journal;
  const written = { format, term, index, data: Buffer.from(data).toString('base64'), files, complete };
  return replaceFile(disk, `${directory}/${journalName}`, Buffer.from(JSON.stringify(written)));
}

/** Whether a journal is that of this snapshot. */
export function isJournalOf({ term, index, data }: SnapshotJournal, { metadata, data: offered }: Snapshot): boolean {
  return term === metadata.term && index === metadata.index && Buffer.compare(data, offered) === 0;
}
