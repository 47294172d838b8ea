/**
 * The architecture check: which package may import which, what a core may not touch, and where clocks, timers,
 * randomness and `node:` modules may be used. The rules are data, so that a reader sees the house at a glance.
 */
import { codeOnly, type Finding, lineAt, type SourceFile } from './source-files.js';

/** Workspace packages each package's sources may import. Sub-entries that join two packages are named on their own. */
const allowedImports: Readonly<Record<string, readonly string[]>> = {
  'packages/env': [],
  'packages/wal': ['@shanghai/env'],
  'packages/bitcask': ['@shanghai/env'],
  'packages/raft': ['@shanghai/env'],
  'packages/membership': ['@shanghai/env'],
  'packages/replication': ['@shanghai/env'],
  'packages/sharding': ['@shanghai/env'],
  'packages/telemetry': [],
  'packages/client': ['@shanghai/env', '@shanghai/proto'],
  proto: [],
  'apps/server': [
    '@shanghai/bitcask',
    '@shanghai/env',
    '@shanghai/membership',
    '@shanghai/proto',
    '@shanghai/raft',
    '@shanghai/replication',
    '@shanghai/sharding',
    '@shanghai/telemetry',
    '@shanghai/wal',
  ],
  'apps/ctl': ['@shanghai/bitcask', '@shanghai/client', '@shanghai/env', '@shanghai/proto', '@shanghai/wal'],
  'apps/bench': [
    '@shanghai/bitcask',
    '@shanghai/client',
    '@shanghai/env',
    '@shanghai/proto',
    '@shanghai/raft',
    '@shanghai/replication',
    '@shanghai/sharding',
    '@shanghai/wal',
  ],
};

/**
 * Files that join two packages: the real form of a port, and where the command line restores data directories, which only
 * the server's own state machine can.
 */
const joiningImports: readonly (readonly [RegExp, string])[] = [
  [/^packages\/raft\/src\/wal\//, '@shanghai/wal'],
  [/^packages\/replication\/src\/wal\//, '@shanghai/wal'],
  [/^apps\/ctl\/src\/backup-tools\.ts$/, '@shanghai/server'],
];

/** Outside the apps, only these may import `node:` modules: two for zlib's pure computation, two for sockets. */
const mayImportNode = [
  /^packages\/env\/src\/(node|testing)\//,
  /^packages\/env\/src\/crc32\.ts$/,
  /^packages\/bitcask\/src\/compression\.ts$/,
  /^packages\/raft\/src\/grpc\/peer-listener\.ts$/,
];

/** Only here may the machine's clock, timers and randomness be used; everyone else is handed the ports. */
const mayUseMachine = [/^packages\/env\/src\/node\//, /^apps\/(server|ctl|bench)\/src\//];

/** Within the server, these folders are driven by the ports like a package: the simulator runs them. */
const portsOnly = [/^apps\/server\/src\/(apply|logs|raft|requests|routing)\//];

const machineUse =
  /\b(?:Date\.now|performance\.now|process\.hrtime|setTimeout|setInterval|setImmediate|Math\.random|queueMicrotask)\b|new Date\(\)/g;

/** Import specifiers with where they stand; type-only imports count too. */
function importsOf(text: string): { specifier: string; index: number }[] {
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?\bfrom\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => ({
    specifier: match[1] ?? match[2] ?? match[3] ?? '',
    index: match.index + (match[0].startsWith('\n') ? 1 : 0),
  }));
}

function mayImport(path: string, home: string, workspace: string): boolean {
  if ((allowedImports[home] ?? []).includes(workspace)) return true;
  return joiningImports.some(([files, joined]) => joined === workspace && files.test(path));
}

function packageOf(path: string): string | undefined {
  return /^(?:packages\/[^/]+|apps\/[^/]+|proto)(?=\/)/.exec(path)?.[0];
}

/** Whether a relative import leaves the package that holds `path`. */
function leavesPackage(path: string, specifier: string, home: string): boolean {
  const resolved = new URL(specifier, `file:///${path}`).pathname.slice(1);
  return !resolved.startsWith(`${home}/`);
}

/** Everything in a file that the rules forbid. `tools` and tests are judged by fewer rules. */
export function checkArchitecture(file: SourceFile): Finding[] {
  const home = packageOf(file.path);
  if (home === undefined || !/\.ts$/.test(file.path) || file.path.includes('/src/gen/')) return [];
  const isTest = /\.test\.ts$/.test(file.path) || !file.path.startsWith(`${home}/src/`);
  return [...checkImports(file, home, isTest), ...(isTest ? [] : checkMachineUse(file))];
}

function checkImports(file: SourceFile, home: string, isTest: boolean): Finding[] {
  const findings: Finding[] = [];
  const isCore = file.path.includes('/core/');
  for (const { specifier, index } of importsOf(file.text)) {
    const say = (message: string) => findings.push({ path: file.path, line: lineAt(file.text, index), message });
    const workspace = /^@shanghai\/[^/]+/.exec(specifier)?.[0];
    if (specifier.startsWith('.')) {
      if (leavesPackage(file.path, specifier, home))
        say(`imports '${specifier}' outside its package; use the package's name`);
      else if (!isTest && /(?:^|\/)index\.js$/.test(specifier) && !file.path.endsWith('/index.ts')) {
        say(`imports a barrel of its own package ('${specifier}'); import the file itself`);
      }
    } else if (workspace !== undefined && !isTest && !mayImport(file.path, home, workspace)) {
      say(
        `imports ${workspace}, which ${home} may not know (allowed: ${(allowedImports[home] ?? []).join(', ') || 'none'})`,
      );
    } else if (specifier.startsWith('node:') && !isTest) {
      const allowed = !isCore && (home.startsWith('apps/') || mayImportNode.some((rule) => rule.test(file.path)));
      if (!allowed)
        say(`imports '${specifier}'; ${isCore ? 'a core is pure' : "take a port of '@shanghai/env' instead"}`);
    }
    if (isCore && !isTest && /^@shanghai\/env\/testing/.test(specifier)) say('a core imports test doubles');
  }
  return findings;
}

function checkMachineUse(file: SourceFile): Finding[] {
  const findings: Finding[] = [];
  const code = codeOnly(file.text);
  const isCore = file.path.includes('/core/');
  const machineAllowed =
    !isCore && mayUseMachine.some((rule) => rule.test(file.path)) && !portsOnly.some((rule) => rule.test(file.path));
  const say = (index: number, message: string) =>
    findings.push({ path: file.path, line: lineAt(file.text, index), message });
  if (!machineAllowed) {
    for (const match of code.matchAll(machineUse)) {
      if (match[0] === 'queueMicrotask' && !isCore) continue;
      say(match.index, `uses ${match[0]}; take the Clock or Random port`);
    }
  }
  if (isCore) {
    for (const match of code.matchAll(/\basync\b|\bawait\b|\bnew Promise\b|\bPromise</g)) {
      say(match.index, `uses '${match[0].trim()}' in a core; a core is pure and synchronous`);
    }
  }
  return findings;
}
