/**
 * A violation as a picture: what was done to the cluster, and what the clients of one family of keys did, on one axis of
 * time; the whole run above, and below it the moment behind which no order goes on.
 */
import type { KeysInput, KeysOutput } from '../simulator/cluster/keys-model.js';
import { keysModel } from '../simulator/cluster/keys-model.js';
import type { BadHistory } from '../simulator/cluster/recorder.js';

/** Something that was done to the cluster, in milliseconds from the beginning of the run. */
export interface FaultSpan {
  readonly what: string;
  readonly fromMs: number;
  /** Infinity: it was not undone. */
  toMs: number;
}

/** What a picture shows. */
export interface Timeline {
  readonly title: string;
  readonly bad: BadHistory;
  /** Milliseconds from the beginning at which a place of the history was; `undefined` where nobody knows. */
  readonly timeOf: (position: number) => number | undefined;
  readonly faults: readonly FaultSpan[];
}

interface Bar {
  readonly row: number;
  readonly fromMs: number;
  readonly toMs: number;
  readonly label: string;
  readonly kind: 'fault' | 'placed' | 'left' | 'open';
}

interface Panel {
  readonly fromMs: number;
  readonly toMs: number;
  readonly top: number;
}

const widthPixels = 1_600;
const leftPixels = 110;
const rowPixels = 18;
const axisPixels = 24;
/** Around the moment behind which nothing fits. */
const closeMs = 1_500;
const colours = { fault: '#f0c36d', placed: '#9fd3a4', left: '#e57373', open: '#f3b7b7' };

/** An SVG with nothing to load. */
export function timelinePicture({ title, bad, timeOf, faults }: Timeline): string {
  const { history, longest } = bad;
  const known = history.flatMap(({ call, return: end }) => [timeOf(call), timeOf(end)]);
  const times = known.filter((time) => time !== undefined);
  const ends = faults.map(({ toMs }) => toMs).filter(Number.isFinite);
  const endMs = Math.max(1, ...times, ...ends);
  const processes = [...new Set(history.map(({ process }) => process))].sort((a, b) => a - b);
  const names = ['faults', ...faults.map(() => ''), ...processes.map((process) => `client ${process}`)];
  const clientRow = faults.length + 1;
  const places = new Map(longest.map((id, place) => [id, place + 1]));
  const bars: Bar[] = [
    ...faults.map(({ what, fromMs, toMs }, row): Bar => ({ row, fromMs, toMs, label: what, kind: 'fault' })),
    ...history.map((operation, id): Bar => {
      const place = places.get(id);
      const described = keysModel.describe(operation.input as KeysInput, operation.output as KeysOutput);
      return {
        row: clientRow + processes.indexOf(operation.process),
        fromMs: timeOf(operation.call) ?? 0,
        toMs: timeOf(operation.return) ?? Number.POSITIVE_INFINITY,
        label: `${place === undefined ? 'no place: ' : `${place}. `}${described}`,
        kind: place !== undefined ? 'placed' : operation.output === undefined ? 'open' : 'left',
      };
    }),
  ];
  const rows = clientRow + processes.length;
  const panelPixels = rows * rowPixels + axisPixels + 30;
  const stuckMs = Math.min(endMs, ...bars.filter(({ kind }) => kind === 'left').map(({ toMs }) => toMs));
  const whole = { fromMs: Math.min(0, ...times), toMs: endMs, top: 50 };
  const close = { fromMs: stuckMs - closeMs, toMs: stuckMs + closeMs, top: 50 + panelPixels };
  return svg(title, 2 * panelPixels + 60, [
    ...panel(whole, bars, names, rows, stuckMs, false),
    ...panel(close, bars, names, rows, stuckMs, true),
  ]);
}

function panel(
  { fromMs, toMs, top }: Panel,
  bars: readonly Bar[],
  names: readonly string[],
  rows: number,
  stuckMs: number,
  isLabelled: boolean,
): string[] {
  const scale = (widthPixels - leftPixels - 10) / (toMs - fromMs);
  const x = (ms: number) => leftPixels + (Math.min(toMs, Math.max(fromMs, ms)) - fromMs) * scale;
  const lines = names.slice(0, rows).map((name, row) => text(8, top + row * rowPixels + 13, name));
  for (const { row, fromMs: from, toMs: to, label, kind } of bars) {
    if (to < fromMs || from > toMs) continue;
    const y = top + row * rowPixels;
    const width = Math.max(1, x(to) - x(from));
    lines.push(
      `<rect x="${x(from).toFixed(1)}" y="${y + 2}" width="${width.toFixed(1)}" height="${rowPixels - 4}" fill="${colours[kind]}" stroke="#666" stroke-width="0.3"><title>${escaped(label)}</title></rect>`,
    );
    const isWide = width > 7 * Math.min(label.length, 12);
    if ((isLabelled || kind === 'fault') && isWide) {
      lines.push(text(x(from) + 3, y + 13, label.slice(0, Math.floor(width / 6))));
    }
  }
  const bottom = top + rows * rowPixels;
  for (let tick = 0; tick <= 10; tick++) {
    const ms = fromMs + ((toMs - fromMs) * tick) / 10;
    lines.push(text(x(ms) - 14, bottom + 16, `${(ms / 1_000).toFixed(isLabelled ? 2 : 1)} s`));
  }
  const at = x(stuckMs).toFixed(1);
  lines.push(`<line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}" stroke="#b71c1c" stroke-dasharray="4 3"/>`);
  return lines;
}

function text(x: number, y: number, content: string): string {
  return `<text x="${x.toFixed(1)}" y="${y}">${escaped(content)}</text>`;
}

function svg(title: string, height: number, lines: readonly string[]): string {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widthPixels}" height="${height}" font-family="system-ui, sans-serif" font-size="11">
<rect width="100%" height="100%" fill="#fff"/>
<text x="8" y="20" font-size="15">${escaped(title)}</text>
<text x="8" y="38">Yellow: faults. Green: operations that have a place in the longest order. Red: answered, and without a place. Pale: no answer. Dashed: nothing fits from here on. Above the whole run, below the moment.</text>
${lines.join('\n')}
</svg>
`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
