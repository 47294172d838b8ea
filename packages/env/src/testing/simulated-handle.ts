import type { DiskFile } from '../disk.js';
import { errnoError } from '../errno-error.js';
import type { FaultEngine, SimulatedCall } from './fault-engine.js';
import { dropChanges, type FileChange, type SimulatedFile, settleChanges } from './simulated-file.js';

/** An open file of a simulated disk. It keeps its file after the name is gone, as descriptors do. */
export class SimulatedHandle implements DiskFile {
  readonly path: string;
  readonly #engine: FaultEngine;
  readonly #file: SimulatedFile;
  readonly #writable: boolean;
  readonly #losesUnsynced: boolean;
  readonly #onClose: () => void;
  readonly #inFlight = new Set<Promise<unknown>>();
  #closed = false;

  constructor(
    path: string,
    file: SimulatedFile,
    options: { engine: FaultEngine; writable: boolean; losesUnsynced: boolean; onClose: () => void },
  ) {
    this.path = path;
    this.#file = file;
    this.#engine = options.engine;
    this.#writable = options.writable;
    this.#losesUnsynced = options.losesUnsynced;
    this.#onClose = options.onClose;
  }

  read(buffer: Uint8Array, position: number): Promise<number> {
    return this.#perform(() => this.#readCall(buffer, position));
  }

  readSync(buffer: Uint8Array, position: number): number {
    return this.#engine.performSync(this.#readCall(buffer, position));
  }

  write(buffer: Uint8Array, position: number): Promise<number> {
    return this.#perform(() => this.#writeCall(buffer, position));
  }

  writeSync(buffer: Uint8Array, position: number): number {
    return this.#engine.performSync(this.#writeCall(buffer, position));
  }

  sync(): Promise<void> {
    return this.#perform(() => this.#syncCall());
  }

  syncSync(): void {
    this.#engine.performSync(this.#syncCall());
  }

  truncate(bytes: number): Promise<void> {
    return this.#perform(() => this.#truncateCall(bytes));
  }

  async size(): Promise<number> {
    return this.sizeSync();
  }

  sizeSync(): number {
    this.#checkOpen('fstat', false);
    this.#engine.check('fstat', this.path);
    return this.#file.cache.length;
  }

  async close(): Promise<void> {
    if (!this.#closed) {
      this.#closed = true;
      this.#onClose();
    }
    await Promise.allSettled(this.#inFlight);
  }

  closeSync(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onClose();
  }

  async #perform<T>(makeCall: () => SimulatedCall<T>): Promise<T> {
    const running = this.#engine.perform(makeCall());
    this.#inFlight.add(running);
    try {
      return await running;
    } finally {
      this.#inFlight.delete(running);
    }
  }

  #readCall(buffer: Uint8Array, position: number): SimulatedCall<number> {
    this.#checkOpen('read', false);
    checkPosition('position', position);
    return {
      operation: 'read',
      path: this.path,
      isStep: false,
      start: (limit) => {
        const count = this.#file.cache.read(buffer, position, limit);
        return () => count;
      },
      flip: (count) => {
        if (count === 0) return;
        const at = this.#engine.random.below(count);
        buffer[at] = (buffer[at] as number) ^ (1 << this.#engine.random.below(8));
      },
    };
  }

  #writeCall(buffer: Uint8Array, position: number): SimulatedCall<number> {
    this.#checkOpen('write', true);
    checkPosition('position', position);
    return {
      operation: 'write',
      path: this.path,
      isStep: true,
      detail: `${position}+${buffer.length}`,
      start: (limit) => {
        const count = Math.min(buffer.length, limit);
        if (count === 0) return () => 0;
        const bytes = buffer.subarray(0, count);
        this.#file.cache.write(bytes, position);
        if (!this.#losesUnsynced) return () => count;
        const complete = this.#addPending({ offset: position, bytes: bytes.slice(), complete: false });
        return () => {
          complete();
          return count;
        };
      },
    };
  }

  #truncateCall(bytes: number): SimulatedCall<void> {
    this.#checkOpen('truncate', true);
    checkPosition('bytes', bytes);
    return {
      operation: 'truncate',
      path: this.path,
      isStep: true,
      detail: String(bytes),
      start: () => {
        this.#file.cache.resize(bytes);
        if (!this.#losesUnsynced) return () => undefined;
        return this.#addPending({ offset: bytes, bytes: undefined, complete: false });
      },
    };
  }

  #syncCall(): SimulatedCall<void> {
    this.#checkOpen('sync', false);
    const covered = () => this.#file.pending.filter((change) => change.complete);
    return {
      operation: 'sync',
      path: this.path,
      isStep: true,
      start: () => {
        const changes = covered();
        return () => settleChanges(this.#file, changes);
      },
      failed: () => dropChanges(this.#file, covered(), this.#engine.random),
    };
  }

  #addPending(change: FileChange): () => void {
    this.#file.pending.push(change);
    return () => {
      change.complete = true;
    };
  }

  #checkOpen(operation: string, forWriting: boolean): void {
    if (this.#closed) throw errnoError('EBADF', operation, this.path, 'the file is closed');
    if (forWriting && !this.#writable) throw errnoError('EBADF', operation, this.path, 'the file is open for reading');
  }
}

function checkPosition(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${name} must be an integer ≥ 0, got ${value}`);
}
