import fs from 'node:fs';
import type { DiskFile } from '../disk.js';
import { errnoError } from '../errno-error.js';
import { invariant } from '../invariant.js';

/**
 * An open descriptor. It counts the calls in flight, because closing a descriptor under a running call lets the kernel
 * give its number to another file, into which that call would then write.
 */
export class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  #inFlight = 0;
  #closing: Promise<void> | undefined;
  #idle: (() => void) | undefined;

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#call('read', (done) => fs.read(this.#fd, buffer, 0, buffer.length, position, done));
  }

  readSync(buffer: Uint8Array, position: number): number {
    this.#checkOpen('read');
    return fs.readSync(this.#fd, buffer, 0, buffer.length, position);
  }

  write(buffer: Uint8Array, position: number): Promise<number> {
    return this.#call('write', (done) => fs.write(this.#fd, buffer, 0, buffer.length, position, done));
  }

  writeSync(buffer: Uint8Array, position: number): number {
    this.#checkOpen('write');
    return fs.writeSync(this.#fd, buffer, 0, buffer.length, position);
  }

  sync(): Promise<void> {
    return this.#call('fdatasync', (done) => fs.fdatasync(this.#fd, done));
  }

  syncSync(): void {
    this.#checkOpen('fdatasync');
    fs.fdatasyncSync(this.#fd);
  }

  truncate(bytes: number): Promise<void> {
    return this.#call('ftruncate', (done) => fs.ftruncate(this.#fd, bytes, done));
  }

  async size(): Promise<number> {
    const stats = await this.#call<fs.Stats>('fstat', (done) => fs.fstat(this.#fd, done));
    return stats.size;
  }

  sizeSync(): number {
    this.#checkOpen('fstat');
    return fs.fstatSync(this.#fd).size;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    return this.#closing;
  }

  closeSync(): void {
    if (this.#closing !== undefined) return;
    invariant(this.#inFlight === 0, `closeSync of '${this.path}' with ${this.#inFlight} calls in flight; use close`);
    this.#closing = Promise.resolve();
    fs.closeSync(this.#fd);
  }

  async #closeWhenIdle(): Promise<void> {
    if (this.#inFlight > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await new Promise<void>((resolve, reject) => {
      fs.close(this.#fd, (error) => (error ? reject(error) : resolve()));
    });
  }

  #call<T = void>(
    operation: string,
    start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#checkOpen(operation);
      start((error, value) => {
        this.#inFlight--;
        if (this.#inFlight === 0) this.#idle?.();
        if (error) reject(error);
        else resolve(value as T);
      });
      // After the call: one that Node refuses by throwing (a bad argument) is not in flight.
      this.#inFlight++;
    });
  }

  #checkOpen(operation: string): void {
    if (this.#closing !== undefined) throw errnoError('EBADF', operation, this.path, 'the file is closed');
  }
}
