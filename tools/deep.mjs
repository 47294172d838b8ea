#!/usr/bin/env node
// `pnpm deep [part …]`: the long proofs, which neither `npm test` nor CI has time for. Without a part: all of them.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` };

/** Test files by part; `mutations` is a run of its own. */
const parts = {
  mutations: [],
  wal: ['packages/wal'],
  bitcask: ['packages/bitcask'],
  env: ['packages/env'],
  server: ['apps/server'],
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((part) => !Object.hasOwn(parts, part));
if (unknown.length > 0) {
  console.error(`unknown part ${unknown.join(', ')}; there are: ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}
const chosen = wanted.length > 0 ? wanted : Object.keys(parts);
if (chosen.includes('mutations')) {
  const run = spawnSync('tsx', ['tools/mutations/run.ts'], { cwd: root, stdio: 'inherit', env });
  if (run.status !== 0 || chosen.length === 1) process.exit(run.status ?? 1);
}
const folders = chosen.flatMap((part) => parts[part]);
const seed = process.env.SHANGHAI_SEED ?? String(Date.now() % 1_000_000_007);
console.log(`SHANGHAI_SEED=${seed} pnpm deep ${wanted.join(' ')}`);
const run = spawnSync('vitest', ['run', ...folders], {
  cwd: root,
  stdio: 'inherit',
  env: { ...env, SHANGHAI_DEEP: '1', SHANGHAI_SEED: seed },
});
process.exit(run.status ?? 1);
