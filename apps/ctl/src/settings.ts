/**
 * The global options: flags > environment > profile > defaults. Resolved once before a command runs. Profiles are
 * read, and the schema library loaded, only where a profile file exists.
 */
import { usageError } from './ctl-error.js';
import type { Profile } from './profile-file.js';
import type { Terminal } from './terminal.js';

/** Forms of output, in the order in which help lists them. */
export const outputForms = ['table', 'json', 'yaml'] as const;

/** How bytes are written on the command line and shown. `text`: UTF-8, and base64 for what is not. */
export const encodings = ['text', 'base64', 'hex'] as const;

/** One of `outputForms`. */
export type OutputForm = (typeof outputForms)[number];

/** One of `encodings`. */
export type Encoding = (typeof encodings)[number];

/** What every command is given. */
export interface Settings {
  /** host:port, tried in order. Not empty. */
  readonly endpoints: readonly string[];
  /** Deadline of each request. */
  readonly timeoutMs: number;
  readonly keyspace: string;
  readonly output: OutputForm;
  readonly encoding: Encoding;
  /** No notes and no progress on stderr; errors are still shown. */
  readonly quiet: boolean;
  readonly color: boolean;
  /** Answer every confirmation with yes. */
  readonly yes: boolean;
}

/** Global options as commander hands them over. */
export interface GlobalFlags {
  readonly endpoint?: readonly string[];
  readonly timeoutMs?: string;
  readonly keyspace?: string;
  readonly output?: string;
  readonly encoding?: string;
  readonly profile?: string;
  readonly config?: string;
  readonly quiet?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
}

/** Fills and checks. Rejects with a usage error that says which value is wrong and where it came from. */
export async function resolveSettings(flags: GlobalFlags, terminal: Terminal): Promise<Settings> {
  const { environment } = terminal;
  const profile = await findProfile(flags, terminal);
  const pick = (
    flag: string | undefined,
    variable: string,
    ofProfile: string | undefined,
    fallback: string,
  ): Sourced => {
    if (flag !== undefined) return { value: flag, source: 'the command line' };
    const fromEnvironment = environment[variable];
    if (fromEnvironment !== undefined && fromEnvironment !== '') return { value: fromEnvironment, source: variable };
    return ofProfile === undefined
      ? { value: fallback, source: 'defaults' }
      : { value: ofProfile, source: 'the profile' };
  };
  const endpoints = listed(flags.endpoint) ?? listed(environment['SHANGHAI_ENDPOINT']) ?? profile.endpoints;
  return {
    endpoints: (endpoints ?? ['127.0.0.1:9090']).map(checkEndpoint),
    timeoutMs: positive(
      pick(flags.timeoutMs, 'SHANGHAI_TIMEOUT_MS', profile.timeoutMs?.toString(), '5000'),
      'timeout-ms',
    ),
    keyspace: pick(flags.keyspace, 'SHANGHAI_KEYSPACE', profile.keyspace, '').value,
    output: oneOf(pick(flags.output, 'SHANGHAI_OUTPUT', profile.output, 'table'), outputForms, 'output'),
    encoding: oneOf(pick(flags.encoding, 'SHANGHAI_ENCODING', profile.encoding, 'text'), encodings, 'encoding'),
    quiet: flags.quiet ?? false,
    color: flags.color !== false && (environment['NO_COLOR'] ?? '') === '' && terminal.stdout.isTTY === true,
    yes: flags.yes ?? false,
  };
}

interface Sourced {
  readonly value: string;
  readonly source: string;
}

async function findProfile(flags: GlobalFlags, terminal: Terminal): Promise<Profile> {
  const named = flags.profile ?? (terminal.environment['SHANGHAI_PROFILE'] || undefined);
  const configured = flags.config ?? (terminal.environment['SHANGHAI_CTL_CONFIG'] || undefined);
  const { existsSync } = await import('node:fs');
  const base = terminal.environment['XDG_CONFIG_HOME'] || `${terminal.homeDirectory}/.config`;
  const path = configured ?? `${base}/shanghai/ctl.yaml`;
  if (named === undefined && configured === undefined && !existsSync(path)) return {};
  const { readProfile } = await import('./profile-file.js');
  return readProfile(path, named);
}

/** Addresses, each given alone or several separated by commas; `undefined` where there is none. */
function listed(given: string | readonly string[] | undefined): readonly string[] | undefined {
  const parts = [given ?? []].flat().flatMap((text) => text.split(','));
  const endpoints = parts.map((part) => part.trim()).filter((part) => part !== '');
  return endpoints.length === 0 ? undefined : endpoints;
}

function checkEndpoint(endpoint: string): string {
  const port = /^(?:\[[^\]]+\]|[^\s:/]+):(\d{1,5})$/.exec(endpoint)?.[1];
  if (port === undefined || Number(port) === 0 || Number(port) > 65_535) {
    throw usageError(`endpoint '${endpoint}' is not host:port, such as 127.0.0.1:9090`);
  }
  return endpoint;
}

function positive({ value, source }: Sourced, name: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number) || number < 1 || number > 2 ** 31 - 1) {
    throw usageError(`${name} '${value}' (from ${source}) is not a whole number in [1, 2147483647]`);
  }
  return number;
}

function oneOf<Value extends string>({ value, source }: Sourced, allowed: readonly Value[], name: string): Value {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) {
    throw usageError(`${name} '${value}' (from ${source}) is not one of ${allowed.join(', ')}`);
  }
  return found;
}
