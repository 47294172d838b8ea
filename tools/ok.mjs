#!/usr/bin/env node
// `pnpm ok [word …]`: is the tree good? Runs every gate (or those whose name holds a word), says how long each took,
// shows the output of those that failed, and ends with exit code 1 where one did.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const gates = [
  ['format and lint', 'biome', ['check', '--error-on-warnings', '.']],
  ['types', 'tsc', ['-b']],
  ['architecture, style, documents', 'tsx', ['tools/check.ts']],
  ['protocol lint', 'pnpm', ['--silent', '--filter', '@shanghai/proto', 'run', 'lint']],
  ['protocol compatibility', 'pnpm', ['--silent', '--filter', '@shanghai/proto', 'run', 'breaking']],
  ['unit tests', 'vitest', ['run', '--project', 'unit']],
];

const root = fileURLToPath(new URL('..', import.meta.url));
const env = { ...process.env, PATH: `${root}node_modules/.bin:${process.env.PATH}` };
const words = process.argv.slice(2);
const failed = [];
for (const [name, command, args] of gates) {
  if (words.length > 0 && !words.some((word) => name.includes(word))) continue;
  const started = performance.now();
  const run = spawnSync(command, args, { cwd: root, env, encoding: 'utf8', maxBuffer: 1 << 28 });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const output = `${run.stdout ?? ''}${run.stderr ?? ''}${run.error?.message ?? ''}`;
  const ok = run.status === 0;
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (!ok) {
    failed.push(name);
    console.log(output);
  } else if (name.endsWith('tests')) {
    console.log(`       ${output.trim().split('\n').at(-1)}`);
  }
}
if (failed.length > 0) {
  console.log(`not ok: ${failed.join(', ')}`);
  process.exitCode = 1;
} else {
  console.log('ok');
}
