import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as grpc from '../src/grpc/index.js';
import * as root from '../src/index.js';
import { startGrpcMemoryServer } from '../src/testing/grpc-memory-server.js';
import * as testing from '../src/testing/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const details = readFileSync(new URL('../../../docs/CLIENT.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
const modules: Readonly<Record<string, unknown>> = {
  '@shanghai/client': root,
  '@shanghai/client/grpc': grpc,
  '@shanghai/client/testing': testing,
};
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

/** Runs an example and gives what it prints: each line, and the comment that says what it should be. */
async function run(example: string, endpoint: string): Promise<{ printed: string[]; promised: string[] }> {
  const code = example
    .replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, "const { $1 } = modules['$2'];")
    .replaceAll('127.0.0.1:9090', endpoint)
    .replaceAll(' as const', '');
  const printed: string[] = [];
  const console = { log: (...values: unknown[]) => printed.push(values.map(String).join(' ')) };
  await new AsyncFunction('modules', 'console', code)(modules, console);
  const promised = [...example.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1] ?? '');
  return { printed, promised };
}

describe('the README', () => {
  it('has examples that run and print what they say', async () => {
    expect(examples).toHaveLength(2);
    for (const example of examples) {
      const server = await startGrpcMemoryServer();
      try {
        const { printed, promised } = await run(example, server.endpoint);
        expect(promised.length).toBeGreaterThan(0);
        expect(printed.slice(0, promised.length)).toEqual(promised);
      } finally {
        await server.kill();
      }
    }
  });

  it('and the document about details print what they say of streams and of a failover', async () => {
    const codes = [...details.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');
    const said = [...details.matchAll(/^It prints (.*)\.$/gm)].map((match) => match[1] ?? '');
    const promised = said.map((line) => [...line.matchAll(/`([^`]*)`/g)].map((match) => match[1]));
    expect(promised.map((lines) => lines.length)).toEqual([5, 1]);
    const server = await startGrpcMemoryServer();
    try {
      for (const [i, code] of codes.entries()) {
        expect((await run(code, server.endpoint)).printed).toEqual(promised[i]);
      }
    } finally {
      await server.kill();
    }
  });

  it('lists every option with its default', () => {
    for (const [option, value] of Object.entries(root.defaultClientOptions)) {
      const row = readme.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${option}\``));
      expect(row, option).toBeDefined();
      const cell = row?.split('|')[2]?.replaceAll(',', '') ?? '';
      const shown =
        Number(value) >= 1024 * 1024 && option.endsWith('Bytes') ? `${Number(value) / 1024 / 1024} MiB` : value;
      const short = option === 'maxMessageBytes' ? '64 KiB' : String(shown);
      expect(cell, option).toContain(short);
    }
  });
});
