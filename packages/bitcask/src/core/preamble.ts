/**
 * The sixteen bytes that every file of a store begins with.
 *
 * ```
 *  0        8       10      12        16
 *  +--------+-------+-------+---------+
 *  | magic  | major | minor | feature |
 *  | 8 B    | u16   | u16   | u32     |
 *  +--------+-------+-------+---------+
 * ```
 *
 * The major version and the feature bits shut out readers that would misread the file; the minor version is for people.
 */

/** The files that have a preamble. */
export type FileKind = 'manifest' | 'segment' | 'hint' | 'keydir';

const magics: Readonly<Record<FileKind, string>> = {
  manifest: 'SHBKMANI',
  segment: 'SHBKDATA',
  hint: 'SHBKHINT',
  keydir: 'SHBKKEYD',
};

/** The format version that this program reads and writes. */
export const formatMajor = 1;

/** What a decoder says of bytes: the thing itself, bytes that are not it, or bytes of a format from the future. */
export type Decoded<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'damaged'; readonly what: string }
  | { readonly kind: 'unsupported'; readonly what: string };

/** Writes the preamble of a file into the first 16 bytes. */
export function writePreamble(view: DataView, kind: FileKind): void {
  const magic = magics[kind];
  for (let i = 0; i < magic.length; i++) view.setUint8(i, magic.charCodeAt(i));
  view.setUint16(8, formatMajor, true);
}

/** Whether the bytes begin as a file of this kind does. `view` holds at least 16 bytes. */
export function checkPreamble(view: DataView, kind: FileKind): Decoded<undefined> {
  const magic = magics[kind];
  for (let i = 0; i < magic.length; i++) {
    if (view.getUint8(i) !== magic.charCodeAt(i)) return { kind: 'damaged', what: `it does not begin with ${magic}` };
  }
  const major = view.getUint16(8, true);
  const features = view.getUint32(12, true);
  if (major !== formatMajor)
    return { kind: 'unsupported', what: `format version ${major}, this program knows ${formatMajor}` };
  if (features !== 0)
    return { kind: 'unsupported', what: `feature bits 0x${features.toString(16)}, this program knows none` };
  return { kind: 'ok', value: undefined };
}
