/** Reading option values: commander gives text, commands need numbers. Failures are usage errors that name the option. */
import type { Flags } from './command-host.js';
import { usageError } from './ctl-error.js';

/** A whole number in [min, max], or `undefined` where the option was not given. */
export function optionalInteger(
  flags: Flags,
  name: string,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const text = flags[name];
  if (text === undefined) return undefined;
  const number = typeof text === 'string' && /^-?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(number) || number < min || number > max) {
    throw usageError(`--${kebab(name)} '${String(text)}' is not a whole number in [${min}, ${max}]`);
  }
  return number;
}

/** As `optionalInteger`, with a value where the option was not given. */
export function integer(flags: Flags, name: string, fallback: number, min = 0, max?: number): number {
  return optionalInteger(flags, name, min, max) ?? fallback;
}

/** The text of an option, or `undefined`. */
export function text(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === 'string' ? value : undefined;
}

/** One of the allowed words, or `undefined`. */
export function oneOf<Word extends string>(flags: Flags, name: string, allowed: readonly Word[]): Word | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  const found = allowed.find((word) => word === value);
  if (found === undefined) throw usageError(`--${kebab(name)} '${value}' is not one of ${allowed.join(', ')}`);
  return found;
}

/** A time: milliseconds since 1970 or ISO 8601, or `undefined`. */
export function time(flags: Flags, name: string): number | undefined {
  const value = text(flags, name);
  if (value === undefined) return undefined;
  const timeMs = /^\d+$/.test(value) ? Number(value) : Date.parse(value);
  if (!Number.isSafeInteger(timeMs) || timeMs < 0) {
    throw usageError(
      `--${kebab(name)} '${value}' is neither milliseconds since 1970 nor a time such as 2026-01-31T12:00:00Z`,
    );
  }
  return timeMs;
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
