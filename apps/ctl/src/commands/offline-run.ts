/** What the offline commands share: a directory that is there, progress, damage in words. */
import { statSync } from 'node:fs';
import type { CommandContext } from '../command-host.js';
import { CtlError } from '../ctl-error.js';
import type { Damage, OfflineOptions } from '../offline-tools.js';
import type { Field } from '../output/printer.js';
import { startProgress } from '../output/progress.js';
import { localFailure } from './input-value.js';

/** The directory, or a failure that says it is none: opening would otherwise make an empty store there. */
export function checkDirectory(directory: string): string {
  let isDirectory: boolean;
  try {
    isDirectory = statSync(directory).isDirectory();
  } catch (error) {
    throw localFailure(`directory '${directory}' cannot be read`, error);
  }
  if (!isDirectory) throw new CtlError('LOCAL_FAILURE', `'${directory}' is not a directory`);
  return directory;
}

/** Runs offline work with a progress bar. */
export async function withOfflineProgress<Result>(
  context: CommandContext,
  label: string,
  unit: 'bytes' | 'segments',
  work: (options: OfflineOptions) => Promise<Result>,
): Promise<Result> {
  const progress = await startProgress(context.terminal, context.settings, { label, unit, total: 0 });
  try {
    return await work({
      signal: context.signal,
      onProgress: (done, total) => progress.update(done, undefined, total),
    });
  } finally {
    progress.stop();
  }
}

/** Damage for people: none, or a line each. */
export function damageFields(problems: readonly Damage[]): Field[] {
  if (problems.length === 0) return [['Damage', 'none']];
  return problems.map((problem) => ['Damage', damageText(problem)]);
}

/** One place of damage in words. */
export function damageText({ file, offset, bytes, what }: Damage): string {
  return `${file} at ${offset}${bytes === undefined ? '' : `, ${bytes} bytes`}: ${what}`;
}

/** Exit code 19 with the first place. */
export function damageError(directory: string, problems: readonly Damage[]): CtlError {
  const [first] = problems;
  const where = first === undefined ? '' : `; the first: ${damageText(first)}`;
  const places = problems.length === 1 ? 'one place' : `${problems.length} places`;
  return new CtlError('DATA_CORRUPTED', `'${directory}' is damaged in ${places}${where}`, {
    details: { problems },
  });
}
