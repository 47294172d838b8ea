import { cpus, loadavg, release, totalmem, type } from 'node:os';
import type { Machine } from './report.js';

/** The machine this runs on. */
export function describeMachine(): Machine {
  const processors = cpus();
  return {
    cores: processors.length,
    cpu: processors[0]?.model.trim() ?? 'unknown',
    memoryMiB: Math.round(totalmem() / 1_048_576),
    node: process.version,
    kernel: `${type()} ${release()}`,
    loadBefore: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  };
}
