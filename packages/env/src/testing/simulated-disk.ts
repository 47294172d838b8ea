import type { Clock } from '../clock.js';
import { type DirectoryLock, type DirectoryLockOptions, LockError } from '../directory-lock.js';
import type { DiskFile, DiskOpenMode, DiskStat } from '../disk.js';
import { createSeededRandom } from '../seeded-random.js';
import type { CrashSurvival, FaultDisk, FaultRule } from './fault-disk.js';
import { FaultEngine, type SimulatedCall } from './fault-engine.js';
import type { SimulatedFile } from './simulated-file.js';
import { SimulatedHandle } from './simulated-handle.js';
import { type NameChange, pathNames, type SimulatedVolume } from './simulated-volume.js';

/** What a simulated disk is made of. */
export interface SimulatedDiskParts {
  readonly seed: number;
  /** Where this disk's draws begin: differs from start to start of the same seed. */
  readonly stream: number;
  readonly clock: Clock | undefined;
  readonly volume: SimulatedVolume;
  /** False: a plain disk in memory, where everything is durable at once. */
  readonly losesUnsynced: boolean;
  readonly keepsTrace: boolean;
}

/** The disk in memory: volume (what is there), engine (what becomes of a call), and the port's face. */
export class SimulatedDisk implements FaultDisk {
  readonly seed: number;
  readonly #parts: SimulatedDiskParts;
  readonly #volume: SimulatedVolume;
  readonly #engine: FaultEngine;
  readonly #losesUnsynced: boolean;
  readonly #locks = new Map<string, string>();
  #openFiles = 0;
  #restarts = 0;

  constructor(parts: SimulatedDiskParts) {
    this.seed = parts.seed;
    this.#parts = parts;
    this.#volume = parts.volume;
    this.#losesUnsynced = parts.losesUnsynced;
    this.#engine = new FaultEngine(createSeededRandom(parts.stream), parts.clock, parts.keepsTrace);
  }

  get steps(): number {
    return this.#engine.steps;
  }

  get trace(): readonly string[] {
    return this.#engine.trace;
  }

  get crashed(): boolean {
    return this.#engine.crashed;
  }

  get openFiles(): number {
    return this.#openFiles;
  }

  crashAfterStep(step: number): void {
    this.#engine.crashAfterStep(step);
  }

  crash(): void {
    this.#engine.crash();
  }

  restart(survival?: CrashSurvival, draw?: number): FaultDisk {
    this.crash();
    return this.afterCrash(survival, draw);
  }

  afterCrash(survival: CrashSurvival = 'random', draw: number = this.#restarts++): FaultDisk {
    const random = createSeededRandom(this.#parts.stream ^ Math.imul(draw + 1, 0x9e37_79b1));
    const volume = this.#volume.survivor(survival, random);
    return new SimulatedDisk({ ...this.#parts, volume, stream: random.uint32() });
  }

  inject(rule: FaultRule): () => void {
    return this.#engine.inject(rule);
  }

  corrupt(path: string, offset: number, mask: number): void {
    const file = this.#volume.file(path, 'corrupt');
    file.cache.flip(offset, mask);
    file.platter.flip(offset, mask);
    for (const { offset: start, bytes } of file.pending) {
      const byte = bytes?.[offset - start];
      if (bytes !== undefined && byte !== undefined) bytes[offset - start] = byte ^ mask;
    }
  }

  contents(path: string): Uint8Array {
    return this.#volume.file(path, 'contents').cache.toBytes();
  }

  setContents(path: string, bytes: Uint8Array): void {
    this.#volume.place(path, bytes);
  }

  files(): string[] {
    return this.#volume.files();
  }

  open(path: string, mode: DiskOpenMode): Promise<DiskFile> {
    return this.#engine.perform(this.#openCall(path, mode));
  }

  openSync(path: string, mode: DiskOpenMode): DiskFile {
    return this.#engine.performSync(this.#openCall(path, mode));
  }

  makeDirectory(path: string): Promise<void> {
    return this.#nameCall({ operation: 'makeDirectory', path }, () => this.#volume.makeDirectory(path));
  }

  list(directory: string): Promise<string[]> {
    const start = () => {
      const names = [...this.#volume.directory(directory, 'scandir').cache.keys()].sort();
      return () => names;
    };
    return this.#engine.perform({ operation: 'list', path: absolute(directory), isStep: false, start });
  }

  async stat(path: string): Promise<DiskStat | undefined> {
    this.#engine.check('stat', path);
    const node = this.#volume.find(path);
    if (node === undefined) return undefined;
    const { kind, inode, birthTimeMs } = node;
    return { kind, bytes: node.kind === 'file' ? node.cache.length : 0, inode, birthTimeMs };
  }

  rename(from: string, to: string): Promise<void> {
    return this.#nameCall({ operation: 'rename', path: from, otherPath: to }, () => {
      const change = this.#volume.rename(from, to);
      return change === undefined ? [] : [change];
    });
  }

  link(existing: string, added: string): Promise<void> {
    return this.#nameCall({ operation: 'link', path: existing, otherPath: added }, () => [
      this.#volume.link(existing, added),
    ]);
  }

  remove(path: string): Promise<void> {
    return this.#nameCall({ operation: 'remove', path }, () => [this.#volume.remove(path)]);
  }

  removeDirectory(path: string): Promise<void> {
    return this.#nameCall({ operation: 'remove', path }, () => [this.#volume.removeDirectory(path)]);
  }

  syncDirectory(path: string): Promise<void> {
    const start = () => {
      const directory = this.#volume.directory(path, 'fsync');
      const covered = this.#volume.coveredBy(directory);
      return () => this.#volume.settle(directory, covered);
    };
    return this.#engine.perform({ operation: 'syncDirectory', path: absolute(path), isStep: true, start });
  }

  async lockDirectory(directory: string, options: DirectoryLockOptions = {}): Promise<DirectoryLock> {
    this.#engine.check('lock', directory);
    this.#volume.directory(directory, 'lock');
    const key = absolute(directory);
    const holder = this.#locks.get(key);
    if (holder !== undefined) {
      const message = `directory '${directory}' is locked by '${holder}'; close it there first`;
      throw new LockError('LOCKED', message, { details: { directory, description: holder } });
    }
    this.#locks.set(key, options.description ?? 'unnamed');
    let released = false;
    const release = async () => {
      if (!released) this.#locks.delete(key);
      released = true;
    };
    return { directory, release };
  }

  #openCall(path: string, mode: DiskOpenMode): SimulatedCall<DiskFile> {
    const isStep = mode === 'create';
    const start = () => {
      const created = isStep ? this.#volume.create(path) : undefined;
      const file = created?.file ?? this.#volume.file(path, 'open');
      if (created !== undefined) this.#volume.begin([created.change], this.#losesUnsynced);
      return () => {
        if (created !== undefined) created.change.complete = true;
        return this.#handle(path, file, mode !== 'read');
      };
    };
    return { operation: 'open', path: absolute(path), isStep, start, ...(isStep && { detail: 'create' }) };
  }

  #handle(path: string, file: SimulatedFile, writable: boolean): DiskFile {
    this.#openFiles++;
    const onClose = () => this.#openFiles--;
    const options = { engine: this.#engine, writable, losesUnsynced: this.#losesUnsynced, onClose };
    return new SimulatedHandle(absolute(path), file, options);
  }

  #nameCall(
    call: Pick<SimulatedCall<void>, 'operation' | 'path' | 'otherPath'>,
    change: () => NameChange[],
  ): Promise<void> {
    const start = () => {
      const changes = change();
      this.#volume.begin(changes, this.#losesUnsynced);
      return () => {
        for (const one of changes) one.complete = true;
      };
    };
    const other = call.otherPath === undefined ? {} : { otherPath: absolute(call.otherPath) };
    return this.#engine.perform({ ...call, path: absolute(call.path), ...other, isStep: true, start });
  }
}

function absolute(path: string): string {
  return `/${pathNames(path).join('/')}`;
}
