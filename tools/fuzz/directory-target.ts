/** Targets that open a whole directory of which one file was changed. */
import { createFaultDisk, type FaultDisk } from '@shanghai/env/testing';
import type { FuzzTarget } from './fuzz-target.js';

/** A directory that is sound, how it is opened, and its files' checksums. */
export interface DirectoryTarget extends Pick<FuzzTarget, 'name' | 'refusals' | 'cost'> {
  /** Makes the directory on an empty disk. */
  build(disk: FaultDisk): Promise<void>;
  /** Opens it, reads all of it, and closes it. */
  use(disk: FaultDisk): Promise<unknown>;
  /** Only files whose path matches are changed. Default: all. */
  readonly files?: RegExp;
  /** Made before the files are put back. */
  readonly directories?: readonly string[];
  /** Makes the checksums of a file hold, in place. */
  seal?(bytes: Uint8Array, path: string): void;
}

/** The target: each example is one file of the directory, the others stay as they are. */
export function directoryTarget(directory: DirectoryTarget): FuzzTarget {
  let built: Promise<ReadonlyMap<string, Uint8Array>> | undefined;
  let paths: string[] = [];
  const contents = async () => {
    const disk = createFaultDisk({ seed: 1 });
    await directory.build(disk);
    const files = new Map(disk.files().map((path) => [path, new Uint8Array(disk.contents(path))]));
    paths = [...files.keys()].filter((path) => directory.files?.test(path) ?? true);
    return files;
  };
  const { name, refusals, cost = 20, seal } = directory;
  return {
    name,
    refusals,
    cost,
    async examples() {
      built ??= contents();
      const files = await built;
      return paths.map((path) => trimmed(files.get(path) as Uint8Array));
    },
    async decode(bytes, example) {
      const disk = createFaultDisk({ seed: 1 });
      for (const path of directory.directories ?? []) await disk.makeDirectory(path);
      for (const [path, whole] of await (built as Promise<ReadonlyMap<string, Uint8Array>>)) {
        disk.setContents(path, path === paths[example] ? padded(bytes, trimmed(whole), whole) : whole);
      }
      return await directory.use(disk);
    },
    ...(seal === undefined ? {} : { seal: (bytes: Uint8Array, example: number) => seal(bytes, paths[example] ?? '') }),
  };
}

/** Without the zeros that a file was made longer by: changes among them are lost on nobody. */
function trimmed(whole: Uint8Array): Uint8Array {
  let end = whole.length;
  while (end > 0 && whole[end - 1] === 0) end--;
  return whole.subarray(0, Math.min(whole.length, end + 64));
}

/** As long as it was, where that was by zeros and the change was not one of length. */
function padded(bytes: Uint8Array, trimmedWhole: Uint8Array, whole: Uint8Array): Uint8Array {
  if (bytes.length !== trimmedWhole.length || bytes.length >= whole.length) return bytes;
  const longer = new Uint8Array(whole.length);
  longer.set(bytes);
  return longer;
}
