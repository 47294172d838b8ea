/** The shell's history between runs. A history that cannot be read or written is no reason to fail. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Terminal } from '../terminal.js';

/** `SHANGHAI_HISTORY_FILE`, else below the state directory of the user. */
export function historyPath({ environment, homeDirectory }: Terminal): string {
  const state = environment['XDG_STATE_HOME'] || `${homeDirectory}/.local/state`;
  return environment['SHANGHAI_HISTORY_FILE'] || `${state}/shanghai/history`;
}

/** Newest first, as readline keeps it. */
export function readHistory(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').reverse();
  } catch {
    return [];
  }
}

/** Takes lines newest first; readable by the user only, because values may be secrets. */
export function writeHistory(path: string, lines: readonly string[]): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${[...lines].reverse().join('\n')}\n`, { mode: 0o600 });
  } catch {
    // The next run begins without history.
  }
}
