import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let directory: string | undefined;

/** The directory of what decoders read from the real disk; removed when the process ends. */
export function temporaryDirectory(): string {
  if (directory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'shanghai-fuzz-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    directory = made;
  }
  return directory;
}

/** Writes a file there and returns its path. */
export function temporaryFile(name: string, bytes: Uint8Array): string {
  const path = join(temporaryDirectory(), name);
  writeFileSync(path, bytes);
  return path;
}
