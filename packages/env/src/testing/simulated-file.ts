import type { Random } from '../random.js';
import type { CrashSurvival } from './fault-disk.js';
import type { FileImage } from './file-image.js';

/**
 * A file of a simulated volume: what readers see (the cache), what is on the platter, and between them the list of
 * changes that no sync has covered yet, oldest first.
 *
 * A crash decides the file's new content by *sectors* of 512 bytes, as disks do. A sector has one version per change
 * that touches it; it comes back as one of them, the platter's included, and never as a mixture that no moment had
 * within one sector. The length is decided apart from the bytes: it may have grown without them (they are zeros then)
 * or they may have arrived without it (then they are lost).
 */
export interface SimulatedFile {
  readonly kind: 'file';
  readonly inode: number;
  readonly birthTimeMs: number;
  cache: FileImage;
  platter: FileImage;
  pending: FileChange[];
}

/** One write (`bytes` at `offset`) or truncation (to `length`). */
export interface FileChange {
  readonly offset: number;
  /** `undefined`: a truncation to `offset`. */
  readonly bytes: Uint8Array | undefined;
  /** Whether the call that made it has returned: only then does a sync that begins now cover it. */
  complete: boolean;
}

/** Bytes that a disk writes whole or not at all. */
export const sectorBytes = 512;

/** Makes a set of un-synced changes durable, in their order. */
export function settleChanges(file: SimulatedFile, covered: readonly FileChange[]): void {
  if (covered.length === 0) return;
  const settled = new Set(covered);
  file.pending = file.pending.filter((change) => {
    if (!settled.has(change)) return true;
    applyChange(file.platter, change);
    return false;
  });
}

/**
 * What a failing sync does on common file systems: the pages are marked clean whether or not they were written, so that
 * readers still see them and no later sync writes them. Half of the time all of them are lost, else each by its own draw.
 */
export function dropChanges(file: SimulatedFile, covered: readonly FileChange[], random: Random): void {
  const all = random.below(2) === 0;
  const written = covered.filter(() => !all && random.below(2) === 0);
  settleChanges(file, written);
  const dropped = new Set(covered);
  file.pending = file.pending.filter((change) => !dropped.has(change));
}

/** The file's bytes as the start after a crash finds them. Changes nothing. */
export function survivingImage(file: SimulatedFile, survival: CrashSurvival, random: Random): FileImage {
  const image = file.platter.fork();
  if (survival === 'none' || file.pending.length === 0) return image;
  if (survival === 'all') {
    for (const change of file.pending) applyChange(image, change);
    return image;
  }
  return drawImage(file, image, random);
}

function applyChange(image: FileImage, change: FileChange): void {
  if (change.bytes === undefined) image.resize(change.offset);
  else image.write(change.bytes, change.offset);
}

function drawImage(file: SimulatedFile, image: FileImage, random: Random): FileImage {
  const lengths = lengthHistory(file);
  const longest = Math.max(...lengths);
  const kept = drawSectorVersions(file, longest, random);
  const length = lengths[drawLengthVersion(lengths.length, random)] as number;
  image.resize(longest);
  for (const [index, change] of file.pending.entries()) {
    forEachSector(change, longest, (sector) => {
      if ((kept[sector] as number) > index) applyWithin(image, change, sector * sectorBytes, longest);
    });
  }
  image.resize(length);
  return image;
}

/** The length on the platter, then after each pending change. */
function lengthHistory(file: SimulatedFile): number[] {
  const lengths = [file.platter.length];
  for (const { offset, bytes } of file.pending) {
    const before = lengths[lengths.length - 1] as number;
    lengths.push(bytes === undefined ? offset : Math.max(before, offset + bytes.length));
  }
  return lengths;
}

/** The newest length in half of the draws, else any of them. */
function drawLengthVersion(versions: number, random: Random): number {
  return random.below(2) === 0 ? versions - 1 : random.below(versions);
}

/** For each sector, how many of the pending changes, counted from the oldest, it has seen. */
function drawSectorVersions(file: SimulatedFile, longest: number, random: Random): Uint32Array {
  const kept = new Uint32Array(Math.ceil(longest / sectorBytes));
  for (const [index, change] of file.pending.entries()) {
    const [first, end] = sectorRange(change, longest);
    const fate = random.below(4);
    const tear = fate === 2 && end > first ? first + random.below(end - first) : end;
    for (let sector = first; sector < end; sector++) {
      const survives = fate === 0 ? false : fate === 3 ? random.below(2) === 0 : sector < tear;
      if (survives) kept[sector] = index + 1;
    }
  }
  return kept;
}

function forEachSector(change: FileChange, longest: number, visit: (sector: number) => void): void {
  const [first, end] = sectorRange(change, longest);
  for (let sector = first; sector < end; sector++) visit(sector);
}

function sectorRange({ offset, bytes }: FileChange, longest: number): [number, number] {
  const end = bytes === undefined ? longest : offset + bytes.length;
  if (end <= offset) return [0, 0];
  return [Math.floor(offset / sectorBytes), Math.ceil(end / sectorBytes)];
}

/** Applies the part of a change that lies in the sector at `start`; a truncation puts zeros behind its length. */
function applyWithin(image: FileImage, { offset, bytes }: FileChange, start: number, longest: number): void {
  const from = Math.max(offset, start);
  const to = Math.min(bytes === undefined ? longest : offset + bytes.length, start + sectorBytes);
  image.write(bytes === undefined ? new Uint8Array(to - from) : bytes.subarray(from - offset, to - offset), from);
}
