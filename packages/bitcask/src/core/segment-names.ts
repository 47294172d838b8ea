/** The names of files in a store's directory; see docs/formats/bitcask.md, section 1. */

/** The name of the manifest. */
export const manifestName = 'MANIFEST';

/** The name of the key directory's snapshot. */
export const keydirName = 'KEYDIR';

/** What a name in the directory stands for. */
export type NamedFile =
  | { readonly kind: 'manifest' | 'keydir' | 'temporary' | 'foreign' }
  | { readonly kind: 'data' | 'hint'; readonly fileId: number };

const segmentName = /^(\d{10})\.(data|hint)$/;

/** The name of a segment. */
export function dataName(fileId: number): string {
  return `${fileId.toString().padStart(10, '0')}.data`;
}

/** The name of a segment's hint. */
export function hintName(fileId: number): string {
  return `${fileId.toString().padStart(10, '0')}.hint`;
}

/** Where recovery copies what it cuts off a segment. */
export function tornName(fileId: number, offset: number): string {
  return `${dataName(fileId)}.torn-${offset}`;
}

/** Names that are not the store's own (locks, torn copies, a user's files) are `foreign` and left alone. */
export function parseName(name: string): NamedFile {
  if (name === manifestName) return { kind: 'manifest' };
  if (name === keydirName) return { kind: 'keydir' };
  const stem = name.endsWith('.tmp') ? name.slice(0, -4) : name;
  const match = segmentName.exec(stem);
  if (stem !== name)
    return {
      kind: match !== null || stem === manifestName || stem === keydirName || isTorn(stem) ? 'temporary' : 'foreign',
    };
  if (match === null) return { kind: 'foreign' };
  const fileId = Number(match[1]);
  if (fileId < 1 || fileId >= 2 ** 32) return { kind: 'foreign' };
  return { kind: match[2] === 'data' ? 'data' : 'hint', fileId };
}

function isTorn(name: string): boolean {
  return /^\d{10}\.data\.torn-\d+$/.test(name);
}
