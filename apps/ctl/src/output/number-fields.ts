/**
 * Labels and texts from an object of numbers and words, for people: names say the unit. `liveBytes` is shown in KiB and
 * so on, `lastSyncMs` as a duration, `logTimeMs` and `lastCheckpointMs` as moments. Nested values are left to JSON.
 */
import type { Field } from './printer.js';
import { formatBytes, formatCount, formatDuration, formatTime } from './quantities.js';

/** A field for every number and word but those in `except`; `indent` stands before each label. */
export function numberFields(
  values: Readonly<Record<string, unknown>>,
  { except = [], indent = '' }: { readonly except?: readonly string[]; readonly indent?: string } = {},
): Field[] {
  return Object.entries(values).flatMap(([name, value]): Field[] => {
    if (except.includes(name)) return [];
    if (typeof value === 'string') return [[indent + label(name), value || '-']];
    return typeof value === 'number' ? [[indent + label(name), shown(name, value)]] : [];
  });
}

function label(name: string): string {
  const words = name.replace(/Ms$/, '').replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  return words.replace(/\blsn\b/, 'LSN');
}

function shown(name: string, value: number): string {
  if (/bytes|^bytes/i.test(name)) return formatBytes(value);
  if (/(?:TimeMs|CheckpointMs)$/.test(name)) return formatTime(value);
  if (/Ms$/.test(name)) return value < 1000 ? `${value.toFixed(3)} ms` : formatDuration(value);
  return Number.isInteger(value) ? formatCount(value) : value.toFixed(3);
}
