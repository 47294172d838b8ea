import { errnoError } from '../errno-error.js';
import type { Random } from '../random.js';
import type { CrashSurvival } from './fault-disk.js';
import { FileImage } from './file-image.js';
import { type SimulatedFile, survivingImage } from './simulated-file.js';

/**
 * A simulated directory: the names readers see and the names on the platter. Between them stands the volume's list of
 * name changes.
 */
export interface SimulatedDirectory {
  readonly kind: 'directory';
  readonly inode: number;
  readonly birthTimeMs: number;
  readonly cache: Map<string, SimulatedNode>;
  readonly platter: Map<string, SimulatedNode>;
}

/** What a name of a simulated volume stands for. */
export type SimulatedNode = SimulatedFile | SimulatedDirectory;

/** One create, link, rename or remove: entries that change together. A rename has two slots, everything else one. */
export interface NameChange {
  readonly slots: readonly NameSlot[];
  /** Directories of the slots that were not synced since. */
  readonly unsynced: Set<SimulatedDirectory>;
  /** Whether the call that made it has returned: only then does a syncDirectory that begins now cover it. */
  complete: boolean;
}

interface NameSlot {
  readonly directory: SimulatedDirectory;
  readonly name: string;
  readonly node: SimulatedNode | undefined;
}

/**
 * The names and files of a simulated disk, without time: every method takes effect at once in the cache.
 *
 * After a crash each un-synced name change is there or not, a rename as a whole, under one rule that keeps the outcome a
 * state some file system could be in: changes of the same name arrive in their order.
 */
export class SimulatedVolume {
  readonly root: SimulatedDirectory;
  #pending: NameChange[] = [];
  #lastInode: number;
  readonly #nowMs: () => number;

  constructor(nowMs: () => number, lastInode = 1) {
    this.#nowMs = nowMs;
    this.#lastInode = lastInode;
    this.root = { kind: 'directory', inode: 1, birthTimeMs: 0, cache: new Map(), platter: new Map() };
  }

  /** What a path stands for, or `undefined`. */
  find(path: string): SimulatedNode | undefined {
    let node: SimulatedNode | undefined = this.root;
    for (const name of pathNames(path)) {
      if (node?.kind !== 'directory') return undefined;
      node = node.cache.get(name);
    }
    return node;
  }

  file(path: string, operation: string): SimulatedFile {
    const node = this.find(path);
    if (node === undefined) throw errnoError('ENOENT', operation, path);
    if (node.kind === 'directory') throw errnoError('EISDIR', operation, path);
    return node;
  }

  directory(path: string, operation: string): SimulatedDirectory {
    const node = this.find(path);
    if (node === undefined) throw errnoError('ENOENT', operation, path);
    if (node.kind === 'file') throw errnoError('ENOTDIR', operation, path);
    return node;
  }

  create(path: string): { file: SimulatedFile; change: NameChange } {
    const slot = this.#slot(path, 'open');
    if (slot.directory.cache.has(slot.name)) throw errnoError('EEXIST', 'open', path);
    const file = this.#newFile(new FileImage());
    return { file, change: this.#change([{ ...slot, node: file }]) };
  }

  link(existing: string, added: string): NameChange {
    const node = this.file(existing, 'link');
    const slot = this.#slot(added, 'link');
    if (slot.directory.cache.has(slot.name)) throw errnoError('EEXIST', 'link', added);
    return this.#change([{ ...slot, node }]);
  }

  rename(from: string, to: string): NameChange | undefined {
    const node = this.find(from);
    if (node === undefined) throw errnoError('ENOENT', 'rename', from);
    const target = this.#slot(to, 'rename');
    const replaced = target.directory.cache.get(target.name);
    if (replaced === node) return undefined;
    if (replaced?.kind === 'directory') {
      if (node.kind === 'file') throw errnoError('EISDIR', 'rename', to);
      if (replaced.cache.size > 0) throw errnoError('ENOTEMPTY', 'rename', to);
    } else if (replaced !== undefined && node.kind === 'directory') {
      throw errnoError('ENOTDIR', 'rename', to);
    }
    const source = this.#slot(from, 'rename');
    return this.#change([
      { ...source, node: undefined },
      { ...target, node },
    ]);
  }

  remove(path: string): NameChange {
    this.file(path, 'unlink');
    return this.#change([{ ...this.#slot(path, 'unlink'), node: undefined }]);
  }

  removeDirectory(path: string): NameChange {
    if (this.directory(path, 'rmdir').cache.size > 0) throw errnoError('ENOTEMPTY', 'rmdir', path);
    return this.#change([{ ...this.#slot(path, 'rmdir'), node: undefined }]);
  }

  /** One change for each directory that was missing. */
  makeDirectory(path: string): NameChange[] {
    const changes: NameChange[] = [];
    let directory = this.root;
    for (const name of pathNames(path)) {
      let node = directory.cache.get(name);
      if (node?.kind === 'file') throw errnoError('EEXIST', 'mkdir', path);
      if (node === undefined) {
        node = this.#newDirectory();
        changes.push(this.#change([{ directory, name, node }]));
      }
      directory = node;
    }
    return changes;
  }

  /** Where a disk loses nothing, its changes are durable as they are made. */
  begin(changes: readonly NameChange[], losesUnsynced: boolean): void {
    if (!losesUnsynced) this.#settleWhere((change) => changes.includes(change));
  }

  /** The un-synced changes of a directory's names that a sync beginning now covers. */
  coveredBy(directory: SimulatedDirectory): NameChange[] {
    return this.#pending.filter((change) => change.complete && change.unsynced.has(directory));
  }

  /** Makes `covered` durable as far as `directory` is concerned; a rename across directories needs both. */
  settle(directory: SimulatedDirectory, covered: readonly NameChange[]): void {
    for (const change of covered) change.unsynced.delete(directory);
    this.#settleWhere((change) => change.unsynced.size === 0);
  }

  /** Puts a file's bytes there, on the platter too, with its name and the directories above it. */
  place(path: string, bytes: Uint8Array): void {
    this.makeDirectory(`${path}/..`);
    const file = this.find(path) === undefined ? this.create(path).file : this.file(path, 'open');
    file.cache = new FileImage(bytes.slice());
    file.platter = file.cache.fork();
    file.pending = [];
    const durable = new Set<SimulatedNode>([file]);
    let node: SimulatedNode = this.root;
    for (const name of pathNames(path)) {
      if (node.kind === 'directory') node = node.cache.get(name) as SimulatedNode;
      durable.add(node);
    }
    this.#settleWhere((change) => change.slots.some((slot) => slot.node !== undefined && durable.has(slot.node)));
  }

  /** Every file's path, sorted. */
  files(): string[] {
    const paths: string[] = [];
    const visit = (directory: SimulatedDirectory, prefix: string) => {
      for (const [name, node] of directory.cache) {
        if (node.kind === 'file') paths.push(prefix + name);
        else visit(node, `${prefix}${name}/`);
      }
    };
    visit(this.root, '/');
    return paths.sort();
  }

  /** The volume as the start after a crash finds it: a new one, all of it durable. Changes nothing here. */
  survivor(survival: CrashSurvival, random: Random): SimulatedVolume {
    const names = this.#survivingNames(survival, random);
    const volume = new SimulatedVolume(this.#nowMs, this.#lastInode);
    const copies = new Map<SimulatedNode, SimulatedNode>();
    const copy = (node: SimulatedNode): SimulatedNode => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      const { inode, birthTimeMs } = node;
      if (node.kind === 'file') {
        const cache = survivingImage(node, survival, random);
        const file: SimulatedFile = { kind: 'file', inode, birthTimeMs, cache, platter: cache.fork(), pending: [] };
        copies.set(node, file);
        return file;
      }
      const directory: SimulatedDirectory = {
        kind: 'directory',
        inode,
        birthTimeMs,
        cache: new Map(),
        platter: new Map(),
      };
      copies.set(node, directory);
      fill(node, directory);
      return directory;
    };
    const fill = (from: SimulatedDirectory, to: SimulatedDirectory) => {
      for (const [name, node] of names.get(from) ?? from.platter) {
        const copied = copy(node);
        to.cache.set(name, copied);
        to.platter.set(name, copied);
      }
    };
    fill(this.root, volume.root);
    return volume;
  }

  /** The durable names of those directories that un-synced changes touched. */
  #survivingNames(survival: CrashSurvival, random: Random): Map<SimulatedDirectory, Map<string, SimulatedNode>> {
    const names = new Map<SimulatedDirectory, Map<string, SimulatedNode>>();
    const lost = new Set<string>();
    for (const change of this.#pending) {
      const keys = change.slots.map(slotKey);
      const kept = survival === 'all' || (survival === 'random' && random.below(2) === 0);
      if (!kept || keys.some((key) => lost.has(key))) {
        for (const key of keys) lost.add(key);
        continue;
      }
      for (const { directory, name, node } of change.slots) {
        let entries = names.get(directory);
        if (entries === undefined) {
          entries = new Map(directory.platter);
          names.set(directory, entries);
        }
        setEntry(entries, name, node);
      }
    }
    return names;
  }

  /** Makes changes durable, and before each of them the older ones of the same names. */
  #settleWhere(isDurable: (change: NameChange) => boolean): void {
    const durable = new Set<NameChange>();
    const names = new Set<string>();
    for (const change of this.#pending.toReversed()) {
      const keys = change.slots.map(slotKey);
      if (!isDurable(change) && !keys.some((key) => names.has(key))) continue;
      durable.add(change);
      for (const key of keys) names.add(key);
    }
    if (durable.size === 0) return;
    this.#pending = this.#pending.filter((change) => {
      if (!durable.has(change)) return true;
      for (const { directory, name, node } of change.slots) setEntry(directory.platter, name, node);
      return false;
    });
  }

  #change(slots: readonly NameSlot[]): NameChange {
    for (const { directory, name, node } of slots) setEntry(directory.cache, name, node);
    const unsynced = new Set(slots.map((slot) => slot.directory));
    const change: NameChange = { slots, unsynced, complete: false };
    this.#pending.push(change);
    return change;
  }

  #slot(path: string, operation: string): { directory: SimulatedDirectory; name: string } {
    const names = pathNames(path);
    const name = names.pop();
    if (name === undefined) throw errnoError('EBUSY', operation, path);
    return { directory: this.directory(`/${names.join('/')}`, operation), name };
  }

  #newFile(cache: FileImage): SimulatedFile {
    const birthTimeMs = this.#nowMs();
    return { kind: 'file', inode: ++this.#lastInode, birthTimeMs, cache, platter: cache.fork(), pending: [] };
  }

  #newDirectory(): SimulatedDirectory {
    const birthTimeMs = this.#nowMs();
    return { kind: 'directory', inode: ++this.#lastInode, birthTimeMs, cache: new Map(), platter: new Map() };
  }
}

/** A path's names from the root; `.` and empty ones dropped, `..` followed. Relative paths begin at the root too. */
export function pathNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}

function slotKey({ directory, name }: NameSlot): string {
  return `${directory.inode}/${name}`;
}

function setEntry(entries: Map<string, SimulatedNode>, name: string, node: SimulatedNode | undefined): void {
  if (node === undefined) entries.delete(name);
  else entries.set(name, node);
}
