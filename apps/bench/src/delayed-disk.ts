import type { Disk, DiskFile } from '@shanghai/env';

/**
 * A disk whose syncs take longer: `delayMs` on top of what they take anyway. The promise form waits on a timer (whole
 * milliseconds, rounded up by the timer); the blocking form really blocks, so that a store which used it would show.
 */
export function delayedDisk(disk: Disk, delayMs: number): Disk {
  return {
    ...disk,
    open: async (path, mode) => delayedFile(await disk.open(path, mode), delayMs),
    openSync: (path, mode) => delayedFile(disk.openSync(path, mode), delayMs),
  };
}

function delayedFile(file: DiskFile, delayMs: number): DiskFile {
  return {
    path: file.path,
    read: (buffer, position) => file.read(buffer, position),
    readSync: (buffer, position) => file.readSync(buffer, position),
    write: (buffer, position) => file.write(buffer, position),
    writeSync: (buffer, position) => file.writeSync(buffer, position),
    sync: async () => {
      await file.sync();
      await new Promise((resolve) => setTimeout(resolve, delayMs));
    },
    syncSync: () => {
      file.syncSync();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
    },
    truncate: (bytes) => file.truncate(bytes),
    size: () => file.size(),
    sizeSync: () => file.sizeSync(),
    close: () => file.close(),
    closeSync: () => file.closeSync(),
  };
}
