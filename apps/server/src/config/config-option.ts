/**
 * One option of the server: what it is called everywhere, what values it takes, what it means. Names follow from the key:
 * `httpPort` is the flag `--http-port`, the variable `SHANGHAI_HTTP_PORT` and `http-port` in a file.
 */
import { z } from 'zod';

/** How a text (a flag's or a variable's) is read before the schema judges it. */
export type OptionKind = 'text' | 'integer' | 'number' | 'bytes' | 'boolean';

/** A declared option. */
export interface ConfigOption<Value> {
  readonly kind: OptionKind;
  readonly schema: z.ZodType<Value>;
  readonly default: Value;
  /** In words, for messages and help. */
  readonly allowed: string;
  /** What the number counts, where the name does not say it. */
  readonly description: string;
  readonly group: string;
}

interface Words<Value> {
  readonly default: Value;
  readonly description: string;
  readonly group: string;
}

/** Any text of at least one character. */
export function textOption(words: Words<string>): ConfigOption<string> {
  return { kind: 'text', schema: z.string().min(1), allowed: 'a text', ...words };
}

/** A text that may be empty. */
export function optionalTextOption(words: Words<string>): ConfigOption<string> {
  return { kind: 'text', schema: z.string(), allowed: 'a text, also an empty one', ...words };
}

/** One of some words. */
export function choiceOption<const Choice extends string>(
  choices: readonly Choice[],
  words: Words<Choice>,
): ConfigOption<Choice> {
  return { kind: 'text', schema: z.enum(choices), allowed: choices.join(', '), ...words };
}

/** `true` or `false`; a flag alone means `true`. */
export function booleanOption(words: Words<boolean>): ConfigOption<boolean> {
  return { kind: 'boolean', schema: z.boolean(), allowed: 'true, false', ...words };
}

/** A whole number in [minimum, maximum]. */
export function integerOption(minimum: number, maximum: number, words: Words<number>): ConfigOption<number> {
  const schema = z.int().min(minimum).max(maximum);
  return { kind: 'integer', schema, allowed: `a whole number from ${minimum} to ${maximum}`, ...words };
}

/** A number in [minimum, maximum]. */
export function numberOption(minimum: number, maximum: number, words: Words<number>): ConfigOption<number> {
  const schema = z.number().min(minimum).max(maximum);
  return { kind: 'number', schema, allowed: `a number from ${minimum} to ${maximum}`, ...words };
}

/** A count of bytes in [minimum, maximum]; texts may use KiB, MiB, GiB. */
export function bytesOption(minimum: number, maximum: number, words: Words<number>): ConfigOption<number> {
  const schema = z.int().min(minimum).max(maximum);
  const allowed = `bytes from ${shownBytes(minimum)} to ${shownBytes(maximum)}, also as 64KiB, 16MiB, 1GiB`;
  return { kind: 'bytes', schema, allowed, ...words };
}

const byteUnits: readonly (readonly [suffix: string, bytes: number])[] = [
  ['GiB', 2 ** 30],
  ['MiB', 2 ** 20],
  ['KiB', 2 ** 10],
];

/** A count of bytes in its largest whole unit. */
export function shownBytes(bytes: number): string {
  const unit = byteUnits.find(([, size]) => bytes >= size && bytes % size === 0);
  return unit === undefined ? String(bytes) : `${bytes / unit[1]}${unit[0]}`;
}

/** Reads a text as the kind says; what cannot be read stays a text, and the schema refuses it. */
export function valueOfText(kind: OptionKind, text: string): unknown {
  switch (kind) {
    case 'text':
      return text;
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : text;
    case 'integer':
    case 'number':
      return /^-?\d+(?:\.\d+)?$/.test(text) ? Number(text) : text;
    case 'bytes':
      return bytesOfText(text);
  }
}

function bytesOfText(text: string): unknown {
  const match = /^(\d+)(KiB|MiB|GiB)?$/.exec(text);
  if (match === null) return text;
  const unit = byteUnits.find(([suffix]) => suffix === match[2]);
  return Number(match[1]) * (unit?.[1] ?? 1);
}

/** `httpPort` → `http-port`. */
export function flagName(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** `httpPort` → `SHANGHAI_HTTP_PORT`. */
export function variableName(key: string): string {
  return `SHANGHAI_${flagName(key).replaceAll('-', '_').toUpperCase()}`;
}
