// A real file system that is small enough to fill: an image of ext4, mounted through a loop device. Needs root and mkfs.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const bytes = 48 * 1024 * 1024;

/** Mounts one: `{ path, unmount }`, or `{ why }` where this machine cannot. */
export function mountSmallDisk() {
  const directory = mkdtempSync(join(tmpdir(), 'shanghai-small-disk-'));
  const image = join(directory, 'image');
  const path = join(directory, 'mounted');
  mkdirSync(path);
  const remove = () => rmSync(directory, { recursive: true, force: true });
  for (const [command, ...args] of [
    ['truncate', '-s', String(bytes), image],
    ['mkfs.ext4', '-q', '-F', '-O', '^has_journal', image],
    ['mount', '-o', 'loop', image, path],
  ]) {
    const run = spawnSync(command, args, { encoding: 'utf8' });
    if (run.status === 0) continue;
    remove();
    return { why: `${command}: ${(run.error?.message ?? run.stderr).trim()}` };
  }
  const unmount = () => {
    spawnSync('umount', [path]);
    remove();
  };
  return { path, unmount };
}
