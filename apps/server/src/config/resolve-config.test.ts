import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError } from './config-error.js';
import { flagName, variableName } from './config-option.js';
import { type ConfigKey, optionEntries } from './config-options.js';
import { configurationTables } from './configuration-table.js';
import { loadConfig } from './load-config.js';
import { nearestName } from './nearest-name.js';
import { type ConfigInputs, resolveConfig } from './resolve-config.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'shanghai-config-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function fileWith(text: string, name = 'c.yaml'): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const load = (args: string[], environment: Record<string, string> = {}) => loadConfig(args, environment, '1.2.3');

function serve(args: string[], environment: Record<string, string> = {}) {
  const intention = load(args, environment);
  if (intention.type !== 'serve') throw new Error(`prints ${intention.text}`);
  return intention.resolved;
}

/** The problems with which something is refused. */
function problemsOf(run: () => unknown): readonly string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof ConfigError) return error.details['problems'] as string[];
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('precedence', () => {
  it('is flag, environment, file, default, and each value says where it came from', () => {
    const path = fileWith('http-port: 1\ngrpc-port: 2\ndata-dir: /file\n');
    const inputs = { SHANGHAI_HTTP_PORT: '11', SHANGHAI_GRPC_PORT: '12' };
    const { config, sources } = serve(['--config', path, '--http-port', '21'], inputs);
    expect(config).toMatchObject({ httpPort: 21, grpcPort: 12, dataDir: '/file', host: '127.0.0.1' });
    expect(sources).toMatchObject({
      httpPort: { from: 'flag', name: '--http-port' },
      grpcPort: { from: 'environment', name: 'SHANGHAI_GRPC_PORT' },
      dataDir: { from: 'file', path },
      host: { from: 'default' },
    });
  });

  it('holds for every option, by its flag, its variable and its name in a file', () => {
    for (const [key, option] of optionEntries) {
      const text = String(sampleOf(key, option.default));
      const more = withIt[key] ?? {};
      const environment = { [variableName(key)]: text };
      const byFlag = resolveConfig({ flags: { ...more, [key]: text } });
      const byVariable = resolveConfig({ flags: more, environment });
      const values = { [flagName(key)]: byFlag.config[key] };
      const byFile = resolveConfig({ flags: more, file: { path: 'f', values } });
      expect(String(byFlag.config[key]), key).toBe(text);
      expect([byVariable.config[key], byFile.config[key]], key).toEqual([byFlag.config[key], byFlag.config[key]]);
    }
  });

  it('an empty variable counts as none', () => {
    expect(serve([], { SHANGHAI_HTTP_PORT: '' }).config.httpPort).toBe(8080);
  });

  it('a file may be JSON, and may be named by SHANGHAI_CONFIG', () => {
    const path = fileWith('{"http-port": 81, "wal-segment-bytes": "1MiB"}', 'c.json');
    expect(serve([], { SHANGHAI_CONFIG: path }).config).toMatchObject({ httpPort: 81, walSegmentBytes: 1 << 20 });
  });
});

/** An allowed value other than the default. */
/** What some values cannot be without. */
const withIt: Partial<Record<ConfigKey, Record<string, string>>> = {
  host: { insecure: 'true' },
  join: { peerPort: '9190' },
};

function sampleOf(key: ConfigKey, fallback: unknown): unknown {
  const samples: Partial<Record<ConfigKey, unknown>> = {
    logLevel: 'warn',
    logFormat: 'pretty',
    durability: 'interval',
    compression: 'gzip',
    engine: 'level',
    membershipProfile: 'wan',
    join: '127.0.0.1:9091',
    initialCluster: '1=127.0.0.1:9190',
    host: '0.0.0.0',
    mergeToHour: 23,
    mergeStaleRatio: 0.5,
    maxValueBytes: 1 << 20,
    maxMessageBytes: 25 << 20,
  };
  if (key in samples) return samples[key];
  if (typeof fallback === 'boolean') return !fallback;
  return typeof fallback === 'number' ? fallback + 1 : `${fallback}x`;
}

describe('values', () => {
  it('bytes take KiB, MiB and GiB, a boolean flag alone means true', () => {
    const { config } = serve([
      '--cache-bytes',
      '2GiB',
      '--store-segment-bytes=8192',
      '--break-lock',
      '--merge',
      'false',
    ]);
    expect(config).toMatchObject({ cacheBytes: 2 ** 31, storeSegmentBytes: 8192, breakLock: true, merge: false });
  });

  it.each([
    [
      '--http-port',
      'abc',
      "http-port: 'abc' from flag --http-port is not allowed; allowed: a whole number from 0 to 65535",
    ],
    ['--http-port', '65536', "http-port: '65536' from flag --http-port"],
    ['--http-port', '-1', "http-port: '-1' from flag --http-port"],
    ['--http-port', '80.5', "http-port: '80.5' from flag --http-port"],
    ['--node-id', '-1', "node-id: '-1' from flag --node-id"],
    ['--election-ticks', '2', "election-ticks: '2' from flag --election-ticks"],
    ['--log-level', 'loud', "log-level: 'loud' from flag --log-level is not allowed; allowed: trace, debug, info"],
    ['--wal-segment-bytes', '64kb', "wal-segment-bytes: '64kb' from flag"],
    ['--wal-segment-bytes', '1KiB', "wal-segment-bytes: '1024' from flag"],
    ['--merge-stale-ratio', '0', "merge-stale-ratio: '0' from flag"],
    ['--insecure', 'maybe', "insecure: 'maybe' from flag"],
    ['--data-dir', '', "data-dir: '' from flag"],
  ])('%s %s is refused with name, value, source and what is allowed', (flag, value, says) => {
    expect(problemsOf(() => load([flag, value]))).toEqual([expect.stringContaining(says)]);
  });

  it('all problems are told at once, with their sources', () => {
    const path = fileWith('htpp-port: 1\nmerge: 7\n');
    const problems = problemsOf(() => load(['--config', path], { SHANGHAI_GRPC_PORT: 'x' }));
    expect(problems).toEqual([
      `htpp-port: not an option, from file ${path}; did you mean http-port?`,
      expect.stringContaining("grpc-port: 'x' from environment SHANGHAI_GRPC_PORT"),
      expect.stringContaining(`merge: '7' from file ${path}`),
    ]);
  });

  it('unknown flags, missing values and stray words are refused', () => {
    expect(problemsOf(() => load(['--htp-port', '1']))).toEqual([
      "unknown option '--htp-port'; did you mean --http-port? --help lists all flags",
    ]);
    expect(problemsOf(() => load(['--quantum']))).toEqual(["unknown option '--quantum'; --help lists all flags"]);
    expect(problemsOf(() => load(['--http-port']))[0]).toContain('argument missing');
    expect(problemsOf(() => load(['serve']))[0]).toContain('too many arguments');
    expect(problemsOf(() => load(['--print-config', 'xml']))[0]).toContain("'xml' is invalid");
  });

  it('an unknown variable is warned of, those of other programs are not', () => {
    const { warnings } = serve([], { SHANGHAI_HTPP_PORT: '1', SHANGHAI_ENDPOINT: 'x', PATH: 'y' });
    expect(warnings).toEqual([
      'environment variable SHANGHAI_HTPP_PORT is not an option and has no effect; did you mean SHANGHAI_HTTP_PORT?',
    ]);
  });

  it.each([
    ['cannot be read', () => join(directory, 'missing.yaml')],
    ['is not YAML or JSON', () => fileWith('a: [')],
    ['must hold a mapping', () => fileWith('- a\n')],
  ])('a file that %s is refused', (says, path) => {
    expect(problemsOf(() => load(['--config', path()]))[0]).toContain(says);
  });

  it('an empty file changes nothing', () => {
    expect(serve(['--config', fileWith('')]).config.httpPort).toBe(8080);
  });
});

describe('what contradicts itself', () => {
  const refused = (flags: NonNullable<ConfigInputs['flags']>) => problemsOf(() => resolveConfig({ flags }));

  it.each([
    [{ maxValueBytes: '30MiB' }, 'max-request-bytes: 20MiB is less than max-value-bytes, 30MiB'],
    [{ maxRequestBytes: '24MiB' }, 'max-message-bytes: 24MiB is less than max-request-bytes, 24MiB and its framing'],
    [{ maxMessageBytes: '65MiB' }, 'max-in-flight-bytes: 64MiB is less than max-message-bytes, 65MiB'],
    [{ grpcPort: '8080' }, 'grpc-port: 8080 is http-port too'],
    [{ mergeFromHour: '3', mergeToHour: '3' }, 'merge-to-hour: 3 is merge-from-hour too'],
    [{ host: '0.0.0.0' }, "host: '0.0.0.0' can be reached from other machines"],
    [{ host: '192.168.0.1' }, '--insecure'],
  ])('%o is refused', (flags, says) => {
    expect(refused(flags)).toEqual([expect.stringContaining(says)]);
  });

  const three = '1=127.0.0.1:9190,2=127.0.0.1:9191,3=127.0.0.1:9192';

  it.each([
    [{ nodeId: '4' }, 'node-id: 4 is not in initial-cluster, which names 1, 2, 3'],
    [{ nodeId: '1', durability: 'interval' }, "durability: 'interval' is only for a node alone"],
    [{ nodeId: '2', grpcPort: '9191' }, 'grpc-port: 9191 is the port for peers too'],
    [{ nodeId: '2', peerPort: '8080' }, 'http-port: 8080 is the port for peers too'],
    [{ initialCluster: '1=10.0.0.1:9190,2=10.0.0.2:9190', nodeId: '1' }, 'add --host 10.0.0.1'],
    [{ initialCluster: '1=127.0.0.1' }, "'127.0.0.1' of node 1 is no host:port"],
    [{ initialCluster: '1=h:9190,1=i:9190' }, 'names node 1 twice'],
    [{ initialCluster: '1=h:9190,2=h:9190' }, "names the address 'h:9190' twice"],
    [{ initialCluster: 'one=h:9190' }, "'one=h:9190' is not of the form id=host:port"],
    [{ initialCluster: '0=h:9190' }, "the node id '0' is no whole number"],
    [{ initialCluster: '1=h:0' }, 'needs a port of its own'],
    [{ initialCluster: ',' }, 'names no node'],
  ])('for a cluster, %o is refused', (flags, says) => {
    expect(refused({ initialCluster: three, ...flags })).toEqual([expect.stringContaining(says)]);
  });

  it('a cluster of nodes on one machine needs no flag but its members and the id', () => {
    const { config } = resolveConfig({ flags: { initialCluster: three, nodeId: '2' } });
    expect(config).toMatchObject({ nodeId: 2, initialCluster: three, tickMs: 100, electionTicks: 10 });
    resolveConfig({ flags: { initialCluster: three } });
  });

  it('the defaults hold together, both ports may be 0, and --insecure opens the host', () => {
    expect(resolveConfig({}).warnings).toEqual([]);
    expect(resolveConfig({ flags: { httpPort: '0', grpcPort: '0' } }).config.grpcPort).toBe(0);
    for (const host of ['localhost', '127.0.0.2', '::1']) resolveConfig({ flags: { host } });
    expect(resolveConfig({ flags: { host: '0.0.0.0', insecure: 'true' } }).config.insecure).toBe(true);
  });
});

describe('what is printed', () => {
  const printed = (args: string[], environment = {}) => {
    const intention = load(args, environment);
    if (intention.type !== 'print') throw new Error('would serve');
    return intention.text;
  };

  it('--print-config is a file that gives the same configuration, with sources', () => {
    const text = printed(['--print-config', '--http-port', '0', '--cache-bytes', '1MiB'], { SHANGHAI_NODE_ID: '7' });
    expect(text).toMatch(/^http-port: 0 +# flag --http-port$/m);
    expect(text).toMatch(/^node-id: 7 +# environment SHANGHAI_NODE_ID$/m);
    expect(text).toMatch(/^host: 127\.0\.0\.1 +# default$/m);
    expect(Object.keys(parse(text))).toHaveLength(optionEntries.length);
    const path = fileWith(text);
    expect(serve(['--config', path]).config).toEqual(
      serve(['--http-port', '0', '--cache-bytes', '1MiB', '--node-id', '7']).config,
    );
  });

  it('--print-config json holds value and source', () => {
    expect(JSON.parse(printed(['--print-config', 'json']))).toMatchObject({
      'http-port': { value: 8080, source: 'default' },
    });
  });

  it('--help names every flag with its default and its variable, --version the version', () => {
    const help = printed(['--help']);
    for (const [key] of optionEntries) {
      expect(help).toContain(`--${flagName(key)} `);
      expect(help.replace(/\s+/g, ' '), key).toContain(variableName(key));
    }
    expect(help).toContain('Exit codes:');
    expect(printed(['--version'])).toBe('1.2.3\n');
    expect([printed(['-h']), printed(['-V'])]).toEqual([help, '1.2.3\n']);
  });

  it('docs/CONFIGURATION.md holds the tables of the options', () => {
    const path = new URL('../../../../docs/CONFIGURATION.md', import.meta.url);
    const document = readFileSync(path, 'utf8');
    expect(document).toContain(configurationTables());
  });
});

describe('nearestName', () => {
  it.each([
    ['http-prot', 'http-port'],
    ['htttp-port', 'http-port'],
    ['banana', undefined],
  ])('%s → %s', (name, nearest) => {
    expect(nearestName(name, ['http-port', 'grpc-port', 'host'])).toBe(nearest);
  });
});
