import { readFile } from 'node:fs/promises';
import type { BenchReport } from './report.js';

/** A report that `--json` wrote. Throws where the file is none. */
export async function readReport(path: string): Promise<BenchReport> {
  const text = await readFile(path, 'utf8');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new TypeError(`'${path}' is no report of this program (write one with --json): ${String(error)}`);
  }
  if (!isReport(value)) throw new TypeError(`'${path}' is no report of this program; write one with --json`);
  return value;
}

function isReport(value: unknown): value is BenchReport {
  if (typeof value !== 'object' || value === null) return false;
  const { suite, cases, settings, machine, processorProbe } = value as Partial<BenchReport>;
  return (
    typeof suite === 'string' &&
    Array.isArray(cases) &&
    cases.every((each) => typeof each?.name === 'string' && Array.isArray(each.perSecondOfRounds)) &&
    typeof settings?.only === 'string' &&
    machine !== undefined &&
    processorProbe !== undefined
  );
}
