/** What was seen of each attack, as a table for people. */
import type { HealthyReport } from './healthy-client.js';

/** One attack and what came of it. */
export interface AttackReport {
  readonly name: string;
  readonly seconds: number;
  /** How the attacker was answered, and how often. */
  readonly answers: ReadonlyMap<string, number>;
  /** The most that each node held meanwhile. */
  readonly peaksMib: readonly number[];
  readonly healthy: HealthyReport;
  /** Terms begun meanwhile. */
  readonly elections: number;
  /** What is not as it must be, in words. */
  readonly findings: readonly string[];
}

const heads = ['attack', 's', 'peak MiB', 'beside: ops', 'failed', 'p50/p99/max ms', 'elections', 'answers', ''];

/** Rows of Markdown. */
export function reportTable(reports: readonly AttackReport[]): string {
  const rows = reports.map(({ name, seconds, answers, peaksMib, healthy, elections, findings }) => [
    name,
    seconds.toFixed(0),
    peaksMib.join(' '),
    `${healthy.operations}`,
    `${healthy.failures.length}`,
    [healthy.p50Ms, healthy.p99Ms, healthy.maxMs].map((ms) => ms.toFixed(0)).join('/'),
    `${elections}`,
    [...answers].map(([answer, count]) => `${count} ${answer.replaceAll(/\s+/g, ' ')}`).join(', '),
    findings.length === 0 ? 'ok' : 'FOUND',
  ]);
  return [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
}
