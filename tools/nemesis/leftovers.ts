/** What a run that was killed leaves behind: processes, mounts, loop devices, namespaces, directories. */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountsUnder, thaw, unmount } from './data-disks.js';
import { namespacesLeft, removeNamespace } from './namespaces.js';

/** The directory of a run is this, its process id, and six letters. */
export const directoryPrefix = 'shanghai-nemesis-';

/** Something left. */
export interface Leftover {
  readonly what: string;
  remove(): Promise<void>;
}

/** Everything whose run is gone, in the order in which it must be removed. */
export async function findLeftovers(): Promise<readonly Leftover[]> {
  const directories = readdirSync(tmpdir())
    .filter((name) => name.startsWith(directoryPrefix) && !isAlive(runOf(name)))
    .map((name) => join(tmpdir(), name));
  const namespaces = await namespacesLeft(isAlive);
  return [
    ...directories.flatMap((directory) => mountsUnder(directory).map(frozenMount)),
    ...directories.flatMap(processesOf),
    ...directories.flatMap((directory) => mountsUnder(directory).map(mount)),
    ...namespaces.map((name) => ({ what: `network namespace ${name}`, remove: () => removeNamespace(name) })),
    // One with a report was left on purpose.
    ...directories
      .filter((path) => !existsSync(join(path, 'report.json')))
      .map((path) => ({
        what: `directory ${path}`,
        remove: async () => rmSync(path, { recursive: true, force: true }),
      })),
  ];
}

/** The process id in the name of a run's directory. */
export function runOf(name: string): number {
  return Number(name.slice(directoryPrefix.length).split('-')[0]);
}

/** A process that waits for a frozen disk cannot be ended: first it must answer. */
function frozenMount(path: string): Leftover {
  return { what: `frost of ${path}, if there is any`, remove: () => thaw(path) };
}

function mount(path: string): Leftover {
  return { what: `mount ${path}`, remove: () => (mountsUnder(path).length > 0 ? unmount(path) : Promise.resolve()) };
}

/** Nodes whose data is under that directory. */
function processesOf(directory: string): Leftover[] {
  if (!existsSync('/proc')) return [];
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids
    .filter((pid) => {
      const words = commandLineOf(pid);
      return (
        words.some((word) => word.endsWith('server/dist/main.js')) &&
        words.some((word) => word.startsWith(`${directory}/`))
      );
    })
    .map((pid) => ({
      what: `node with process id ${pid}`,
      remove: async () => {
        if (isAlive(Number(pid))) process.kill(Number(pid), 'SIGKILL');
      },
    }));
}

function commandLineOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
