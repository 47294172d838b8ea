#!/usr/bin/env node
// `pnpm deep [part …]`: the long proofs, which neither `npm test` nor CI has time for. Without a part: all of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { mountSmallDisk } from './small-disk.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const seed = process.env.SHANGHAI_SEED ?? String(Date.now() % 1_000_000_007);

/** Runs a command with the deep variants on; whether it succeeded. */
function run(command, args, more = {}) {
  return exitCodeOf(command, args, more) === 0;
}

function exitCodeOf(command, args, more = {}) {
  const PATH = `${root}node_modules/.bin:${process.env.PATH}`;
  const env = { ...process.env, PATH, SHANGHAI_DEEP: '1', SHANGHAI_SEED: seed, ...more };
  return spawnSync(command, args, { cwd: root, stdio: 'inherit', env }).status;
}

/** Stores on a file system that runs full; one file after the other, because they fill it. */
function runOnSmallDisk() {
  const disk = mountSmallDisk();
  if (disk.path === undefined) {
    console.log(`note: no small file system can be had, its tests are skipped (${disk.why})`);
    return true;
  }
  try {
    const files = ['packages/wal/test/small-disk.test.ts', 'packages/bitcask/test/small-disk.test.ts'];
    return run('vitest', ['run', '--no-file-parallelism', ...files], { SHANGHAI_SMALL_DISK: disk.path });
  } finally {
    disk.unmount();
  }
}

/** Real nodes under faults for a short while; and a run whose answers are partly lies must end with a violation. */
function runNemesis() {
  const nemesis = ['--conditions=@shanghai/source', 'tools/nemesis/main.ts', '--nodes', '3', '--seed', seed];
  const isBuilt = run('turbo', ['run', 'build', '--output-logs=errors-only']);
  if (!isBuilt || !run('tsx', [...nemesis, '--seconds', '10', '--multi-master'])) return false;
  console.log('the same with lies, which must be found:');
  return exitCodeOf('tsx', [...nemesis, '--seconds', '10', '--faults', 'none', '--lie']) === 1;
}

/** A cluster of the first release, with that release's own program, upgraded node by node. */
function runUpgrade() {
  const isBuilt = run('turbo', ['run', 'build', '--output-logs=errors-only']);
  return isBuilt && run('vitest', ['run', 'tools/old-release']);
}

const folders = {
  wal: 'packages/wal',
  bitcask: 'packages/bitcask',
  env: 'packages/env',
  server: 'apps/server',
  raft: 'packages/raft',
  membership: 'packages/membership',
  replication: 'packages/replication',
  simulator: 'tools/simulator',
};
/** Decoders first, then the endpoints of running nodes. */
function runFuzz() {
  const decoders = run('tsx', ['--conditions=@shanghai/source', 'tools/fuzz/main.ts']);
  return run('vitest', ['run', 'tools/fuzz']) && decoders;
}

/** Three real nodes, attacked in every way we know. */
function runAttack() {
  const isBuilt = run('turbo', ['run', 'build', '--output-logs=errors-only']);
  return isBuilt && run('tsx', ['--conditions=@shanghai/source', 'tools/attack/main.ts', '--seed', seed]);
}

const others = {
  attack: runAttack,
  disks: runOnSmallDisk,
  fuzz: runFuzz,
  mutations: () => run('tsx', ['tools/mutations/run.ts']),
  nemesis: runNemesis,
  upgrade: runUpgrade,
};

const known = [...Object.keys(folders), ...Object.keys(others)];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((part) => !known.includes(part));
if (unknown.length > 0) {
  console.error(`unknown part ${unknown.join(', ')}; there are: ${known.join(', ')}`);
  process.exit(2);
}
const chosen = wanted.length > 0 ? wanted : known;
console.log(`SHANGHAI_SEED=${seed} pnpm deep ${wanted.join(' ')}`);
const tested = chosen.flatMap((part) => folders[part] ?? []);
let isGood = tested.length === 0 || run('vitest', ['run', ...tested]);
for (const part of chosen) if (others[part] !== undefined) isGood = others[part]() && isGood;
process.exit(isGood ? 0 : 1);
