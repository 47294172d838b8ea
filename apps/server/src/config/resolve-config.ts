/**
 * Flags over environment over file over defaults. Every value keeps where it came from, so that a refusal and
 * `--print-config` can say it. All problems are collected before refusing: nobody should fix a file line by line.
 */
import { z } from 'zod';
import { clusterContradictions } from './cluster-contradictions.js';
import { ConfigError } from './config-error.js';
import { flagName, shownBytes, valueOfText, variableName } from './config-option.js';
import { type Config, type ConfigKey, configOptions, optionEntries } from './config-options.js';
import { isLoopbackHost } from './loopback-host.js';
import { nearestName } from './nearest-name.js';

/** Where a value came from. */
export type ConfigSource =
  | { readonly from: 'default' }
  | { readonly from: 'flag'; readonly name: string }
  | { readonly from: 'environment'; readonly name: string }
  | { readonly from: 'file'; readonly name: string; readonly path: string };

/** What the three sources hold. */
export interface ConfigInputs {
  /** Texts by key. */
  readonly flags?: Readonly<Partial<Record<ConfigKey, string>>>;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> };
}

/** The effective configuration. */
export interface ResolvedConfig {
  readonly config: Config;
  readonly sources: Readonly<Record<ConfigKey, ConfigSource>>;
  /** What is probably a mistake, in words. */
  readonly warnings: readonly string[];
}

/** The one schema of the configuration. */
export const configSchema = z.strictObject(
  Object.fromEntries(optionEntries.map(([key, { schema }]) => [key, schema])),
) as unknown as z.ZodType<Config>;

/** Variables of other programs of this project. */
const foreignVariables = /^SHANGHAI_(?:CONFIG|ENDPOINT|PROFILE|TIMEOUT_MS|OUTPUT|CTL_\w+|DEEP|BENCH_\w+|TEST_\w+)$/;

/** Merges and checks. Throws `ConfigError` `INVALID_CONFIG`. */
export function resolveConfig(inputs: ConfigInputs): ResolvedConfig {
  const problems: string[] = unknownFileKeys(inputs);
  const values: Partial<Record<ConfigKey, unknown>> = {};
  const sources: Partial<Record<ConfigKey, ConfigSource>> = {};
  for (const [key] of optionEntries) {
    const { value, source } = pick(key, inputs);
    values[key] = value;
    sources[key] = source;
  }
  const checked = configSchema.safeParse(values);
  const known = sources as Record<ConfigKey, ConfigSource>;
  if (!checked.success) {
    const wrong = new Set(checked.error.issues.map(({ path }) => path[0] as ConfigKey));
    for (const key of wrong) problems.push(refusal(key, values[key], known[key]));
  } else {
    problems.push(...contradictions(checked.data));
  }
  if (problems.length > 0 || !checked.success) throw new ConfigError('INVALID_CONFIG', problems);
  return { config: checked.data, sources: known, warnings: unknownVariables(inputs.environment ?? {}) };
}

function pick(key: ConfigKey, { flags, environment, file }: ConfigInputs): { value: unknown; source: ConfigSource } {
  const { kind, default: fallback } = configOptions[key];
  const flag = flags?.[key];
  if (flag !== undefined)
    return { value: valueOfText(kind, flag), source: { from: 'flag', name: `--${flagName(key)}` } };
  const name = variableName(key);
  const variable = environment?.[name];
  if (variable !== undefined && variable !== '') {
    return { value: valueOfText(kind, variable), source: { from: 'environment', name } };
  }
  const inFile = file?.values[flagName(key)];
  if (file !== undefined && inFile !== undefined) {
    const value = kind === 'bytes' && typeof inFile === 'string' ? valueOfText(kind, inFile) : inFile;
    return { value, source: { from: 'file', name: flagName(key), path: file.path } };
  }
  return { value: fallback, source: { from: 'default' } };
}

/** A source in words. */
export function sourceText(source: ConfigSource): string {
  switch (source.from) {
    case 'default':
      return 'default';
    case 'flag':
      return `flag ${source.name}`;
    case 'environment':
      return `environment ${source.name}`;
    case 'file':
      return `file ${source.path}`;
  }
}

function refusal(key: ConfigKey, value: unknown, source: ConfigSource): string {
  const shown = typeof value === 'string' ? value : JSON.stringify(value);
  return `${flagName(key)}: '${shown}' from ${sourceText(source)} is not allowed; allowed: ${configOptions[key].allowed}`;
}

function unknownFileKeys({ file }: ConfigInputs): string[] {
  if (file === undefined) return [];
  const names = optionEntries.map(([key]) => flagName(key));
  return Object.keys(file.values)
    .filter((name) => !names.includes(name))
    .map((name) => `${name}: not an option, from file ${file.path}${suggestion(name, names)}`);
}

function unknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const names = optionEntries.map(([key]) => variableName(key));
  return Object.keys(environment)
    .filter((name) => name.startsWith('SHANGHAI_') && !names.includes(name) && !foreignVariables.test(name))
    .map((name) => `environment variable ${name} is not an option and has no effect${suggestion(name, names)}`);
}

function suggestion(name: string, names: readonly string[]): string {
  const nearest = nearestName(name, names);
  return nearest === undefined ? '' : `; did you mean ${nearest}?`;
}

/** Values that are allowed alone and not together. */
function contradictions(config: Config): string[] {
  const problems: string[] = [];
  const ordered = [
    'maxValueBytes',
    'maxRequestBytes',
    'maxMessageBytes',
    'maxInFlightBytes',
    'maxReceivingBytes',
  ] as const;
  ordered.forEach((larger, index) => {
    const smaller = ordered[index - 1];
    if (smaller === undefined) return;
    const framing = larger === 'maxMessageBytes' ? framingBytes(config.maxOperations) : 0;
    if (config[smaller] + framing <= config[larger]) return;
    const plus = framing === 0 ? '' : ` and its framing (${framing} bytes for ${config.maxOperations} operations)`;
    problems.push(
      `${flagName(larger)}: ${shownBytes(config[larger])} is less than ${flagName(smaller)}, ${shownBytes(config[smaller])}${plus}`,
    );
  });
  if (config.mergeFromHour === config.mergeToHour) {
    problems.push(
      `merge-to-hour: ${config.mergeToHour} is merge-from-hour too; use 0 and 24 for always, merge false for never`,
    );
  }
  const { httpPort, grpcPort } = config;
  if (httpPort === grpcPort && httpPort !== 0)
    problems.push(`grpc-port: ${grpcPort} is http-port too; give each its own`);
  if (!isLoopbackHost(config.host) && !config.insecure) {
    problems.push(
      `host: '${config.host}' can be reached from other machines, and nothing is encrypted or authenticated; add --insecure where the network is trusted`,
    );
  }
  problems.push(...clusterContradictions(config));
  return problems;
}

/** Bytes that framing adds to a request of so many operations. */
export function framingBytes(operations: number): number {
  return 1024 + 64 * operations;
}
