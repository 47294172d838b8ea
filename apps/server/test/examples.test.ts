/** The programs of docs/EXAMPLES.md, each against a node of its own. */
import { readFileSync } from 'node:fs';
import * as client from '@shanghai/client';
import * as grpc from '@shanghai/client/grpc';
import { nodeClock } from '@shanghai/env';
import { createMemoryDisk } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { openGrpcApi } from '../src/api/grpc/grpc-api.js';
import { testServices } from './api-services.js';
import { openTestNode } from './core-harness.js';

const document = readFileSync(new URL('../../../docs/EXAMPLES.md', import.meta.url), 'utf8');
const programs = document
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    title: section.split('\n')[0] ?? '',
    code: /```js\n([\s\S]*?)```/.exec(section)?.[1] ?? '',
  }));
const modules: Readonly<Record<string, unknown>> = { '@shanghai/client': client, '@shanghai/client/grpc': grpc };
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

test('there are three programs', () => {
  expect(programs.map(({ code }) => code.length > 0)).toEqual([true, true, true]);
});

test.each(programs)('$title: runs as it stands and prints what it says', async ({ code }) => {
  const node = await openTestNode(createMemoryDisk(), nodeClock());
  const api = await openGrpcApi(testServices(node), '127.0.0.1', 0);
  try {
    const runnable = code
      .replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, "const { $1 } = modules['$2'];")
      .replaceAll('127.0.0.1:9090', `127.0.0.1:${api.port}`);
    const printed: string[] = [];
    const console = { log: (...values: unknown[]) => printed.push(values.map(String).join(' ')) };
    await new AsyncFunction('modules', 'console', runnable)(modules, console);
    const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1] ?? '');
    expect(promised.length).toBeGreaterThan(1);
    expect(printed).toEqual(promised);
  } finally {
    await api.close(100);
    await node.close(100);
  }
});
