/**
 * A state machine whose state is a digest of every command, with its place. It is kept in a file from time to time, and
 * sent to others as files when it pleases: all of what a real one does that a host can notice.
 */
import {
  type Clock,
  crc32,
  type Disk,
  delay,
  ensureDirectory,
  type Random,
  readWholeFile,
  replaceFile,
} from '@shanghai/env';
import type {
  Entry,
  Snapshot,
  SnapshotFile,
  SnapshotMetadata,
  SnapshotSink,
  SnapshotSource,
  StateMachine,
  StateSnapshot,
} from '@shanghai/raft';

/** What a command gives: where it was applied. */
export interface Place {
  readonly index: number;
}

/** What is told of a state machine. */
export interface DigestListener {
  applied(entry: Entry, digest: number): void;
  /** A snapshot took the state's place. */
  restored(index: number, digest: number): void;
}

/** What it works with. */
export interface DigestMachineOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly listener: DigestListener;
}

interface State {
  readonly index: number;
  readonly digest: number;
  readonly restored?: SnapshotMetadata | undefined;
}

/** See above. */
export class DigestMachine implements StateMachine<Place> {
  readonly #options: DigestMachineOptions;
  #state: State;
  #storedIndex: number;
  /** What came of a snapshot's file, by the snapshot. */
  readonly #gathered = new Map<number, Uint8Array[]>();

  private constructor(options: DigestMachineOptions, state: State) {
    this.#options = options;
    this.#state = state;
    this.#storedIndex = state.index;
  }

  /** Reads the state that was kept last. */
  static async open(options: DigestMachineOptions): Promise<DigestMachine> {
    const { disk, directory } = options;
    await ensureDirectory(disk, directory);
    const bytes = await readWholeFile(disk, `${directory}/state`, 65_536);
    const state =
      bytes === undefined ? { index: 0, digest: 0 } : (JSON.parse(new TextDecoder().decode(bytes)) as State);
    return new DigestMachine(options, state);
  }

  get appliedIndex(): number {
    return this.#state.index;
  }

  get restored(): SnapshotMetadata | undefined {
    return this.#state.restored;
  }

  get digest(): number {
    return this.#state.digest;
  }

  /** The state that is on the disk. */
  get storedIndex(): number {
    return this.#storedIndex;
  }

  async apply(entries: readonly Entry[]): Promise<readonly (Place | undefined)[]> {
    const { clock, random, listener } = this.#options;
    if (random.float() < 0.05) await delay(clock, random.float() * 300);
    return entries.map((entry) => {
      const { index, type, data } = entry;
      if (index <= this.#state.index) return undefined;
      if (index !== this.#state.index + 1) throw new Error(`entry ${index} behind ${this.#state.index}`);
      const digest =
        type === 'EntryNormal' && data.length > 0 ? digestOf(this.#state.digest, index, data) : this.#state.digest;
      this.#state = { ...this.#state, index, digest };
      listener.applied(entry, digest);
      return { index };
    });
  }

  /** Keeps the state. Resolves to its index. */
  async store(): Promise<number> {
    const { disk, directory } = this.#options;
    const state = this.#state;
    await replaceFile(disk, `${directory}/state`, new TextEncoder().encode(JSON.stringify(state)));
    this.#storedIndex = Math.max(this.#storedIndex, state.index);
    return this.#storedIndex;
  }

  async snapshot({ index }: SnapshotMetadata): Promise<StateSnapshot> {
    const { digest } = this.#state;
    if (index !== this.#state.index) throw new Error(`a snapshot of ${index} is asked for at ${this.#state.index}`);
    const data = new TextEncoder().encode(JSON.stringify({ index, digest }));
    return { data, source: this.#sourceOf(digest) };
  }

  async receive({ metadata }: Snapshot): Promise<SnapshotSink> {
    for (const index of this.#gathered.keys()) if (index !== metadata.index) this.#gathered.delete(index);
    const parts = this.#gathered.get(metadata.index) ?? [];
    this.#gathered.set(metadata.index, parts);
    return sinkFor(parts);
  }

  async restore({ metadata, data }: Snapshot): Promise<void> {
    if (metadata.index <= this.#state.index) return;
    const { index, digest } = JSON.parse(new TextDecoder().decode(data)) as State;
    const bytes = Buffer.concat(this.#gathered.get(metadata.index) ?? []);
    if (index !== metadata.index || !bytes.equals(contentOf(digest))) {
      throw new Error(`the snapshot of ${metadata.index} is put in, and its files are not there`);
    }
    this.#state = { index, digest, restored: metadata };
    this.#options.listener.restored(index, digest);
    await this.store();
  }

  #sourceOf(digest: number): SnapshotSource {
    const { clock, random } = this.#options;
    const content = contentOf(digest);
    return {
      files: async () => {
        await delay(clock, random.float() * 50);
        return [{ name: 'content', bytes: content.length, crc: crc32(content) }];
      },
      read: async (_, offset, length) => content.subarray(offset, offset + length),
      release: async () => {},
    };
  }
}

/** Bytes that follow from a digest, some chunks of a stream. */
function contentOf(digest: number): Buffer {
  return Buffer.alloc(40_000 + (digest & 0xffff), `${digest} `);
}

function digestOf(before: number, index: number, data: Uint8Array): number {
  const bytes = new Uint8Array(16 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, before >>> 0);
  view.setFloat64(8, index);
  bytes.set(data, 16);
  return crc32(bytes);
}

function sinkFor(parts: Uint8Array[]): SnapshotSink {
  let expected: readonly SnapshotFile[] = [];
  return {
    begin: async (files) => {
      expected = files;
      return files.map(() => lengthOf(parts));
    },
    write: async (_, offset, bytes) => {
      if (offset !== lengthOf(parts)) throw new Error(`bytes at ${offset} come behind ${lengthOf(parts)}`);
      parts.push(bytes.slice());
    },
    complete: async () => {
      const [file] = expected;
      const bytes = Buffer.concat(parts);
      if (file !== undefined && bytes.length === file.bytes && crc32(bytes) === file.crc) return;
      parts.length = 0;
      throw new Error('what came is not what was said');
    },
    abandon: async () => {},
  };
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}
