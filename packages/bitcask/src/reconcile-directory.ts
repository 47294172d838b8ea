import { readFully } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import type { Manifest } from './core/manifest-codec.js';
import { decodeSegmentHeader, segmentHeaderBytes } from './core/segment-header.js';
import { parseName } from './core/segment-names.js';
import type { ResolvedBitcaskOptions } from './resolve-bitcask-options.js';

/** What a directory holds beside live segments. */
export interface Leftovers {
  /** Names of files that mean nothing any more. */
  readonly names: readonly string[];
  /** File ids whose hint is there, whatever it holds. */
  readonly hints: ReadonlySet<number>;
  /** Above every file id in the directory and in the manifest. */
  readonly nextFileId: number;
}

/**
 * Finds what interrupted merges, seals and replacements left. Removes nothing: that happens when the store has been
 * read. Rejects with `CORRUPT` where a file cannot be explained by any crash.
 */
export async function findLeftovers(options: ResolvedBitcaskOptions, manifest: Manifest): Promise<Leftovers> {
  const { disk, directory } = options;
  const live = new Set(manifest.entries.map((entry) => entry.fileId));
  const names: string[] = [];
  const hints = new Set<number>();
  let nextFileId = manifest.nextFileId;
  for (const name of await disk.list(directory)) {
    const named = parseName(name);
    if (named.kind === 'temporary') names.push(name);
    if (named.kind !== 'data' && named.kind !== 'hint') continue;
    nextFileId = Math.max(nextFileId, named.fileId + 1);
    if (named.kind === 'hint') hints.add(named.fileId);
    if (live.has(named.fileId)) continue;
    if (named.kind === 'data' && named.fileId >= manifest.nextFileId)
      await checkUnlisted(options, `${directory}/${name}`);
    names.push(name);
  }
  return { names, hints, nextFileId };
}

/** A segment beyond what the manifest knows was never listed, so it can hold nothing but a header or a merge's output. */
async function checkUnlisted(options: ResolvedBitcaskOptions, path: string): Promise<void> {
  const file = await options.disk.open(path, 'read');
  try {
    const size = await file.size();
    if (size <= segmentHeaderBytes) return;
    const bytes = new Uint8Array(segmentHeaderBytes);
    const decoded = decodeSegmentHeader(bytes.subarray(0, await readFully(file, bytes, 0)));
    if (decoded.kind === 'ok' && decoded.value.kind === 'merged') return;
    throw new BitcaskError(
      'CORRUPT',
      `'${path}' holds records, but the manifest is older than it; restore the manifest that belongs to it`,
      {
        details: { file: path, offset: 0, bytes: size },
      },
    );
  } finally {
    await file.close();
  }
}
