/**
 * Progress on stderr: a bar on a terminal, a plain line every few seconds where nobody watches (a log file, CI), nothing
 * with `--quiet`. What is done is told at the end by the command itself.
 */
import type { SingleBar } from 'cli-progress';
import type { Settings } from '../settings.js';
import type { Terminal } from '../terminal.js';
import { formatBytes, formatCount } from './quantities.js';

/** How far a long command came. */
export interface Progress {
  /** `done` in the progress's unit, never falling; `detail` in words; `total` where it is known only now. */
  update(done: number, detail?: string, total?: number): void;
  /** Removes the bar. Idempotent. */
  stop(): void;
}

/** What is counted, and up to where; no `total` = unknown. */
export interface ProgressOptions {
  readonly label: string;
  readonly unit: 'bytes' | 'records' | 'segments';
  readonly total?: number;
  /** Between plain lines. Default 5,000. */
  readonly lineIntervalMs?: number;
  /** Default `performance.now`; tests pass their own. */
  readonly nowMs?: () => number;
}

/** Begins to show progress. */
export async function startProgress(
  terminal: Terminal,
  settings: Settings,
  options: ProgressOptions,
): Promise<Progress> {
  if (settings.quiet) return { update: () => undefined, stop: () => undefined };
  return terminal.stderr.isTTY === true ? startBar(terminal, options) : startLines(terminal, options);
}

async function startBar(terminal: Terminal, { label, unit, total }: ProgressOptions): Promise<Progress> {
  const { default: cliProgress } = await import('cli-progress');
  const show = unit === 'bytes' ? formatBytes : formatCount;
  const format =
    total === undefined
      ? `${label}  {value}  {detail}  {duration_formatted}`
      : `${label}  {bar}  {percentage}%  {value}/{total}  {detail}  eta {eta_formatted}`;
  const bar: SingleBar = new cliProgress.SingleBar({
    format,
    stream: terminal.stderr,
    hideCursor: true,
    clearOnComplete: true,
    barsize: 30,
    fps: 10,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    formatValue: (value, _options, type) => (type === 'value' || type === 'total' ? show(value) : String(value)),
  });
  bar.start(total ?? 0, 0, { detail: '' });
  return {
    update(done, detail, newTotal) {
      if (newTotal !== undefined) bar.setTotal(newTotal);
      bar.update(done, detail === undefined ? {} : { detail });
    },
    stop: () => bar.stop(),
  };
}

function startLines(terminal: Terminal, options: ProgressOptions): Progress {
  const { label, unit, lineIntervalMs = 5000, nowMs = () => performance.now() } = options;
  let { total } = options;
  const show = unit === 'bytes' ? formatBytes : formatCount;
  let nextAtMs = nowMs() + lineIntervalMs;
  return {
    update(done, detail, newTotal) {
      total = newTotal ?? total;
      const now = nowMs();
      if (now < nextAtMs) return;
      nextAtMs = now + lineIntervalMs;
      const share =
        total === undefined || total === 0 ? '' : ` of ${show(total)} (${Math.floor((done / total) * 100)}%)`;
      terminal.stderr.write(`${label}: ${show(done)}${share}${detail === undefined ? '' : `, ${detail}`}\n`);
    },
    stop: () => undefined,
  };
}
