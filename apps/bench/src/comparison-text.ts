import type { CaseChange, Comparison } from './compare.js';

/** The comparison for people: one line for each case, the worst first. */
export function comparisonText({ suite, threshold, changes, warnings, isGood }: Comparison): string {
  const sorted = changes.toSorted((a, b) => (a.change ?? 0) - (b.change ?? 0));
  const width = Math.max(0, ...sorted.map(({ name }) => name.length));
  const lines = [
    `${suite}: a case counts as changed beyond ${Math.round(threshold * 100)} %, rounds apart`,
    ...sorted.map((change) => changeText(change, width)),
    ...warnings.map((warning) => `* ${warning}`),
    isGood ? 'nothing is slower' : 'SLOWER: see above',
  ];
  return `${lines.join('\n')}\n`;
}

function changeText({ name, unit, verdict, ...change }: CaseChange, width: number): string {
  const label = verdict === 'same' ? '      ' : verdict === 'slower' ? 'SLOWER' : verdict.padEnd(6);
  if (change.change === undefined) return `${label} ${name}`;
  const rates = `${rate(change.beforePerSecond)} -> ${rate(change.afterPerSecond)} ${unit}/s`;
  const processor =
    change.processorChange === undefined ? '' : `, processor time each ${percent(change.processorChange)}`;
  return `${label} ${name.padEnd(width)}  ${percent(change.change).padStart(7)}  ${rates}${processor}`;
}

function percent(change: number): string {
  return `${change < 0 ? '-' : '+'}${Math.abs(change * 100).toFixed(1)}%`;
}

function rate(perSecond: number | undefined): string {
  return Math.round(perSecond ?? 0).toLocaleString('en');
}
