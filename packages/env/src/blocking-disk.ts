import type { Disk, DiskFile } from './disk.js';

/**
 * A disk whose files are opened, read, written and synced on the caller's thread, behind the same promises: for threads
 * that have nothing else to do, where a trip to the thread pool would cost more than it gives, and would take a place
 * there from those that wait. Names are still changed through the pool.
 */
export function blockingDisk(disk: Disk): Disk {
  return { ...disk, open: async (path, mode) => blockingFile(disk.openSync(path, mode)) };
}

function blockingFile(file: DiskFile): DiskFile {
  return {
    path: file.path,
    read: async (buffer, position) => file.readSync(buffer, position),
    readSync: (buffer, position) => file.readSync(buffer, position),
    write: async (buffer, position) => file.writeSync(buffer, position),
    writeSync: (buffer, position) => file.writeSync(buffer, position),
    sync: async () => file.syncSync(),
    syncSync: () => file.syncSync(),
    truncate: (bytes) => file.truncate(bytes),
    size: async () => file.sizeSync(),
    sizeSync: () => file.sizeSync(),
    close: () => file.close(),
    closeSync: () => file.closeSync(),
  };
}
