/** A program that awaits a stream must not end while there is no node: real processes, each with nothing else to do. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const serverMain = fileURLToPath(new URL('../../../apps/server/dist/main.js', import.meta.url));
const clientUrl = new URL('../dist/grpc/index.js', import.meta.url);
const cleanUp: (() => unknown)[] = [];
afterAll(async () => {
  for (const step of cleanUp.reverse()) await step();
});

function run(args: readonly string[]) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  cleanUp.push(() => child.kill('SIGKILL'));
  return { child, ended };
}

/** A program with a client and this body; lines it prints are given to `onLine`. */
async function program(body: string, onLine: (line: string) => void = () => {}) {
  const text = `import { connect } from '${clientUrl.href}';\n${body}`;
  const { child, ended } = run(['--input-type=module', '--eval', text]);
  let stdout = '';
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout += `${line}\n`;
    onLine(line);
  });
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  return { code: await ended, stdout, stderr };
}

async function startServer(directory: string, grpcPort: string): Promise<{ child: ChildProcess; endpoint: string }> {
  const ports = ['--http-port', '0', '--peer-port', '0', '--grpc-port', grpcPort];
  const { child } = run([serverMain, '--data-dir', directory, ...ports]);
  for await (const line of createInterface({ input: child.stdout })) {
    const entry = JSON.parse(line) as { msg?: string; grpc?: string };
    if (entry.msg === 'listening') return { child, endpoint: String(entry.grpc) };
  }
  throw new Error('the server ended before it listened');
}

const nowhere = "const shanghai = connect({ endpoints: ['127.0.0.1:1'], timeoutMs: 400, streamReconnectMs: 400 });";

describe.skipIf(!existsSync(serverMain) || !existsSync(clientUrl))('a program that does nothing else', () => {
  it.each([
    ['range', "shanghai.range({ prefix: 'a' })"],
    ['watch', "shanghai.watch({ prefix: 'a' })"],
    ['tail', "shanghai.log.tail('events')"],
  ])('is told by %s that there is no node', async (_name, stream) => {
    const result = await program(
      `${nowhere}\ntry { for await (const _ of ${stream}) console.log('one'); console.log('end'); } catch (error) { console.log(error.code); }`,
    );
    expect(result).toEqual({ code: 0, stdout: 'SERVICE_UNAVAILABLE\n', stderr: '' });
  });

  it('goes on to tail and to watch when the node was killed and came back', async () => {
    const root = await mkdtemp(join(tmpdir(), 'shanghai-life-'));
    cleanUp.push(() => rm(root, { recursive: true, force: true }));
    const first = await startServer(join(root, 'data'), '0');
    const port = String(first.endpoint.split(':')[1]);
    const open = `const shanghai = connect({ endpoints: ['${first.endpoint}'], timeoutMs: 60_000 });`;
    const made = await program(`${open}
      await shanghai.log.create('events');
      await shanghai.log.append('events', ['1']);
      await shanghai.close();`);
    expect(made).toEqual({ code: 0, stdout: '', stderr: '' });
    let ready = 0;
    let restarted: Promise<unknown> | undefined;
    const restart = async () => {
      const gone = new Promise((resolve) => first.child.once('close', resolve));
      first.child.kill('SIGKILL');
      await gone;
      await startServer(join(root, 'data'), port);
      return program(`${open}
        await shanghai.log.append('events', ['2']);
        await shanghai.put('watched', 'x');
        await shanghai.close();`);
    };
    const onLine = () => {
      if (++ready === 2) restarted = restart();
    };
    const tail = program(
      `${open}
      for await (const { sequence } of shanghai.log.tail('events')) {
        console.log(sequence);
        if (sequence === 2) break;
      }
      await shanghai.close();`,
      onLine,
    );
    const watch = program(
      `${open}
      let said = false;
      for await (const { events } of shanghai.watch({ prefix: 'watched' })) {
        if (!said) console.log('watching');
        said = true;
        if (events.length > 0) break;
      }
      console.log('seen');
      await shanghai.close();`,
      onLine,
    );
    expect(await tail).toEqual({ code: 0, stdout: '1\n2\n', stderr: '' });
    expect(await watch).toEqual({ code: 0, stdout: 'watching\nseen\n', stderr: '' });
    expect(await restarted).toMatchObject({ code: 0 });
  }, 30_000);
});
