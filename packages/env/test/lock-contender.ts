/**
 * A process that locks a directory when told to: reads `lock` and `release` as lines, and answers each with a line,
 * `held`, `free` or the code of the error.
 */
import { createInterface } from 'node:readline';
import type { DirectoryLock } from '../src/directory-lock.js';
import { lockDirectory } from '../src/node/directory-lock.js';

const [directory = '.', description = 'a contender'] = process.argv.slice(2);
let lock: DirectoryLock | undefined;

async function obey(command: string): Promise<string> {
  try {
    if (command === 'lock') lock = await lockDirectory(directory, { description });
    else await lock?.release();
    return command === 'lock' ? 'held' : 'free';
  } catch (error) {
    return String((error as { code?: unknown }).code ?? error);
  }
}

for await (const command of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await obey(command)}\n`);
}
