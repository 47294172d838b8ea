/**
 * Where nodes keep their data: small file systems of their own (ext4 on a loop device), which can be filled, and frozen
 * (`fsfreeze`: every write and sync waits, as on a disk that does not answer). Without root or mkfs they are plain
 * directories, and faults of the disk are left out.
 */
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './run-command.js';

const imageBytes = 320 * 1024 * 1024;

/** Makes a place for each node under `directory`. `why`: what this machine lacks for faulty disks. */
export async function openDataDisks(
  directory: string,
  nodes: number,
  areFaulty: boolean,
): Promise<{ readonly disks: readonly DataDisk[]; readonly why?: string }> {
  const ids = Array.from({ length: nodes }, (_, i) => i + 1);
  const plain = () => ids.map((id) => new DataDisk(join(directory, `disk-${id}`), undefined));
  if (!areFaulty) return { disks: plain() };
  const disks: DataDisk[] = [];
  try {
    for (const id of ids) {
      const disk = new DataDisk(join(directory, `disk-${id}`), join(directory, `image-${id}`));
      disks.push(disk);
      await disk.mount();
    }
    return { disks };
  } catch (error) {
    for (const disk of disks) await disk.remove();
    return { disks: plain(), why: (error as Error).message };
  }
}

/** Mounts under a path, innermost first, as the kernel lists them. */
export function mountsUnder(directory: string): readonly string[] {
  if (!existsSync('/proc/mounts')) return [];
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(directory))
    .reverse();
}

/** Makes a frozen one answer again. */
export async function thaw(path: string): Promise<void> {
  await runCommand('fsfreeze', ['-u', path]).catch(() => undefined);
}

/** Makes a frozen one answer again, and unmounts it. Whoever still uses it keeps it until then. */
export async function unmount(path: string): Promise<void> {
  await thaw(path);
  await runCommand('umount', [path]).catch(() => runCommand('umount', ['-l', path]).catch(() => undefined));
}

/** One. */
export class DataDisk {
  readonly path: string;
  readonly #image: string | undefined;
  #isMounted = false;
  #freezes = 0;

  constructor(path: string, image: string | undefined) {
    this.path = path;
    this.#image = image;
    mkdirSync(path, { recursive: true });
  }

  /** Whether it can be filled and frozen. */
  get isFaulty(): boolean {
    return this.#isMounted;
  }

  /** Whether whoever reads or writes it waits. */
  get isFrozen(): boolean {
    return this.#freezes > 0;
  }

  async mount(): Promise<void> {
    if (this.#image === undefined) return;
    await runCommand('truncate', ['-s', String(imageBytes), this.#image]);
    await runCommand('mkfs.ext4', ['-q', '-F', '-m', '0', this.#image]);
    await runCommand('mount', ['-o', 'loop', this.#image, this.path]);
    this.#isMounted = true;
  }

  /** Takes all the space that is left. */
  async fill(): Promise<void> {
    const { bavail, bsize } = statfsSync(this.path);
    await runCommand('fallocate', ['-l', String(Math.max(1, bavail * bsize)), this.#ballast]).catch(() => undefined);
    // What allocation in one piece did not get, writing does.
    const rest = statfsSync(this.path);
    try {
      writeFileSync(`${this.#ballast}-rest`, Buffer.alloc(rest.bavail * rest.bsize + rest.bsize));
    } catch {
      // That it ends with a full disk is what is wanted.
    }
  }

  /** Gives it back. */
  empty(): void {
    for (const file of [this.#ballast, `${this.#ballast}-rest`]) rmSync(file, { force: true });
  }

  /** Nothing is answered until `thaw`. */
  async freeze(): Promise<void> {
    if (this.#freezes++ === 0) await runCommand('fsfreeze', ['-f', this.path]);
  }

  async thaw(): Promise<void> {
    if (this.#freezes > 0 && --this.#freezes === 0) await runCommand('fsfreeze', ['-u', this.path]);
  }

  /** Unmounts it. What is in it is lost. */
  async remove(): Promise<void> {
    if (this.#isMounted) await unmount(this.path);
    this.#isMounted = false;
    if (this.#image !== undefined) rmSync(this.#image, { force: true });
  }

  get #ballast(): string {
    return join(this.path, 'ballast');
  }
}
