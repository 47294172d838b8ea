/**
 * A disk that tells how much of a directory was read, for progress, and lets Ctrl-C end work that only reads. The
 * log's offline functions read every byte once, so bytes read over bytes there are is how far they came.
 */
import type { Disk, DiskFile } from '@shanghai/env';
import { CtlError } from './ctl-error.js';
import type { OfflineOptions } from './offline-tools.js';

/** Watches the reads below `directory`. With `interruptible` false Ctrl-C is left to who runs the work. */
export async function watchedDisk(
  disk: Disk,
  directory: string,
  { signal, onProgress }: OfflineOptions,
  interruptible: boolean,
): Promise<Disk> {
  let total = 0;
  for (const name of await disk.list(directory)) total += (await disk.stat(`${directory}/${name}`))?.bytes ?? 0;
  let done = 0;
  const count = (bytes: number): number => {
    // Some places are read twice; a bar that runs over its end would look broken.
    done = Math.min(total, done + bytes);
    onProgress(done, total);
    return bytes;
  };
  const check = () => {
    if (interruptible && signal.aborted) throw new CtlError('INTERRUPTED', 'interrupted');
  };
  const watch = (file: DiskFile): DiskFile => {
    const read = file.read.bind(file);
    const readSync = file.readSync.bind(file);
    return Object.assign(file, {
      read: async (buffer: Uint8Array, position: number) => {
        check();
        return count(await read(buffer, position));
      },
      readSync: (buffer: Uint8Array, position: number) => {
        check();
        return count(readSync(buffer, position));
      },
    });
  };
  return {
    ...disk,
    open: async (path, mode) => watch(await disk.open(path, mode)),
    openSync: (path, mode) => watch(disk.openSync(path, mode)),
  };
}
