/**
 * Structured logs: one JSON object a line, through pino. The pretty form is for eyes only and is chosen by name,
 * never guessed from the terminal, so that what a collector parses does not change with who looks.
 */
import { pino } from 'pino';
import { prettyLine } from './pretty-line.js';

/** How much is said; `silent` says nothing. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Every level, from the most to the least talkative. */
export const logLevels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Values of one line beside its message. An `err` that is an Error is written with type, message and stack. */
export type LogFields = Readonly<Record<string, unknown>>;

/** A logger; children add fields to every line of theirs. */
export interface Logger {
  trace(fields: LogFields, message: string): void;
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  fatal(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
  /** Whether lines of this level are written: ask before building costly fields. */
  isLevelEnabled(level: LogLevel): boolean;
}

/** What `createLogger` takes; all optional. */
export interface LoggerOptions {
  /** Default `'info'`. */
  readonly level?: LogLevel;
  /** Default `'json'`. */
  readonly format?: 'json' | 'pretty';
  /** Fields of every line, for example the node's name. Default none. */
  readonly fields?: LogFields;
  /** Paths whose values are written as `[redacted]`, added to the defaults (authorization, cookie, password, token, secret at depth ≤ 2). */
  readonly redact?: readonly string[];
  /** Where whole lines go, each with its line feed. Default: standard output, written before the call returns. */
  readonly write?: (line: string) => void;
}

const sensitiveNames = ['authorization', 'cookie', 'password', 'token', 'secret'];
const defaultRedactions = sensitiveNames.flatMap((name) => [name, `*.${name}`]);

/** Makes the root logger of a process. Children for a request carry `correlationId`: see `correlated`. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const settings = {
    level: options.level ?? 'info',
    base: options.fields === undefined ? null : { ...options.fields },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: [...defaultRedactions, ...(options.redact ?? [])], censor: '[redacted]' },
  };
  return pino(settings, destinationOf(options));
}

/** A child whose lines carry the correlation id of one request. */
export function correlated(logger: Logger, correlationId: string): Logger {
  return logger.child({ correlationId });
}

function destinationOf(options: LoggerOptions): pino.DestinationStream {
  const standardOutput = options.write === undefined ? pino.destination({ fd: 1, sync: true }) : undefined;
  const write = options.write ?? ((line: string) => standardOutput?.write(line));
  return { write: options.format === 'pretty' ? (line) => write(prettyLine(line)) : write };
}
