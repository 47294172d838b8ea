import type { Disk, DiskFile } from '@shanghai/env';

/** Milliseconds, or what says how many for each sync. */
export type Delay = number | (() => number);

/**
 * A disk whose syncs take longer: `delay` on top of what they take anyway. The promise form waits on a timer (whole
 * milliseconds, rounded up by the timer); the blocking form really blocks, so that a store which used it would show.
 */
export function delayedDisk(disk: Disk, delay: Delay): Disk {
  return {
    ...disk,
    open: async (path, mode) => delayedFile(await disk.open(path, mode), delay),
    openSync: (path, mode) => delayedFile(disk.openSync(path, mode), delay),
  };
}

function delayedFile(file: DiskFile, delay: Delay): DiskFile {
  const delayMs = typeof delay === 'number' ? () => delay : delay;
  return {
    path: file.path,
    read: (buffer, position) => file.read(buffer, position),
    readSync: (buffer, position) => file.readSync(buffer, position),
    write: (buffer, position) => file.write(buffer, position),
    writeSync: (buffer, position) => file.writeSync(buffer, position),
    sync: async () => {
      const waitMs = delayMs();
      await file.sync();
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    },
    syncSync: () => {
      file.syncSync();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs());
    },
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    sizeSync: () => file.sizeSync(),
    close: () => file.close(),
    closeSync: () => file.closeSync(),
  };
}
