/** The server behind `tools/supervise.mjs`, as `npm start` runs it: it stops in order however the launcher is stopped. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const supervise = new URL('../../../tools/supervise.mjs', import.meta.url).href;
const program = fileURLToPath(new URL('../dist/main.js', import.meta.url));
/** Where only the launcher is at stake, something that listens and stops as the server does, but starts at once. */
const standIn = `
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => {
      console.log('{"msg":"stopped"}');
      process.exit(0);
    });
  }
  setInterval(() => undefined, 1000);
  console.log('{"msg":"listening"}');
`;
const script = `
  const { supervise } = await import(${JSON.stringify(supervise)});
  process.exit(await supervise(process.execPath, process.argv.slice(1)));
`;

let directory: string;
let launched: Launched | undefined;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'shanghai-launcher-'));
});
afterEach(async () => {
  launched?.killGroup('SIGKILL');
  await rm(directory, { recursive: true, force: true });
});

interface Launched {
  readonly process: ChildProcess;
  /** After everybody who holds the output has ended, the server too. */
  readonly ended: Promise<{ readonly code: number | null; readonly output: string }>;
  killGroup(signal: NodeJS.Signals): void;
}

const realServer = () => [program, '--data-dir', directory, '--http-port', '0', '--grpc-port', '0'];

/** Runs the supervised server in a process group of its own, behind `wrapper`, and waits until it listens. */
async function launch(wrapper: readonly string[] = [], server: readonly string[] = realServer()): Promise<Launched> {
  const [command = '', ...args] = [...wrapper, process.execPath, '--input-type=module', '-e', script, ...server];
  const env = { PATH: process.env['PATH'], npm_lifecycle_event: 'start' };
  const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'], env });
  let output = '';
  const ended = new Promise<{ code: number | null; output: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, output })),
  );
  launched = {
    process: child,
    ended,
    killGroup(signal) {
      try {
        process.kill(-(child.pid as number), signal);
      } catch {
        // The group has ended.
      }
    },
  };
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes('"msg":"listening"')) resolve();
    });
    void ended.then(() => resolve());
  });
  expect(output).toContain('"msg":"listening"');
  return launched;
}

it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('a %s to the launcher stops the server in order', async (signal) => {
  const { process: launcher, ended } = await launch([], signal === 'SIGTERM' ? realServer() : ['-e', standIn]);
  launcher.kill(signal);
  const { code, output } = await ended;
  expect([code, output]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
});

it('an interrupt of the whole group, which the launcher passes on once more, stops the server in order', async () => {
  const { killGroup, ended } = await launch();
  killGroup('SIGINT');
  const { code, output } = await ended;
  expect([code, output]).toEqual([0, expect.stringContaining('"msg":"stopped"')]);
});

it('the end of whoever runs the launcher stops the server in order', async () => {
  const { process: shell, ended } = await launch(['/bin/sh', '-c', '"$@" & wait', 'sh']);
  shell.kill('SIGKILL');
  expect((await ended).output).toContain('"msg":"stopped"');
});

it('the death of npm, which can pass nothing on, stops the server in order', async () => {
  const { scripts } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    scripts: Record<string, string>;
  };
  // As npm runs a script: behind a shell of its own. Only what comes before the launcher's name is the script's here.
  const [prefix] = (scripts['start'] ?? '').split('node tools/serve.mjs');
  const npm = await launch(['/bin/sh', '-c', `/bin/sh -c '${prefix}"$@"' sh "$@" & wait`, 'sh']);
  npm.process.kill('SIGKILL');
  expect((await npm.ended).output).toContain('"msg":"stopped"');
});
