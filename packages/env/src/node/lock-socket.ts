import fs from 'node:fs';
import net from 'node:net';
import { join, relative } from 'node:path';
import { isErrno } from '../coded-error.js';

/**
 * A directory seen through a descriptor, so that the address of a socket in it stays within the 108 bytes the kernel
 * allows (104 on macOS), however long the directory's path is.
 */
export class SocketDirectory {
  readonly path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.path = path;
    this.#fd = fs.openSync(path, 'r');
  }

  /** An address for the socket `name`: by descriptor where there is a /proc, else the shorter of two spellings. */
  address(name: string): string {
    const short = `/proc/self/fd/${this.#fd}`;
    if (process.platform === 'linux' && fs.existsSync(short)) return `${short}/${name}`;
    const absolute = join(this.path, name);
    const fromHere = relative(process.cwd(), absolute);
    return fromHere.length < absolute.length ? fromHere : absolute;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

/**
 * Listens at `address`; rejects with the errno of the bind. Whoever connects is hung up on: that the kernel accepted is
 * all they want to know, and it does so for a process that is busy or stopped. Does not keep the process alive.
 */
export function listenAt(address: string): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => undefined);
      socket.destroy();
    });
    server.once('error', reject);
    // Exclusive: a worker of node:cluster would otherwise share its primary's socket, which outlives the worker.
    // Open to all users, who else could not tell a dead socket from a live one; the directory's permissions protect it.
    server.listen({ path: address, exclusive: true, readableAll: true, writableAll: true }, () => {
      server.off('error', reject);
      // Accepting may fail later, for want of descriptors; the socket still listens, and that is what counts.
      server.on('error', () => undefined);
      server.unref();
      resolve(server);
    });
  });
}

/** Resolves when the socket is closed: from then on nobody can connect. */
export function closeServer(server: net.Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}

/**
 * Whether a process listens on the socket at `address`. Only a refused connection and a missing name mean no; whatever
 * else goes wrong (no permission, a full backlog) leaves the holder the benefit of the doubt.
 */
export function isListening(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: address });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => resolve(!isErrno(error, 'ECONNREFUSED') && !isErrno(error, 'ENOENT')));
  });
}
