import { readFileSync } from 'node:fs';
import * as env from '@shanghai/env';
import { expect, test } from 'vitest';
import * as grpc from '../src/grpc/index.js';
import * as root from '../src/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const modules: Readonly<Record<string, unknown>> = {
  '@shanghai/env': env,
  '@shanghai/membership': root,
  '@shanghai/membership/grpc': grpc,
};
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

test('the example of three nodes runs and prints what it says', async () => {
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const plain = code.replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, "const { $1 } = modules['$2'];");
  const printed: string[] = [];
  const console = { log: (...values: unknown[]) => printed.push(values.map(String).join(' ')) };
  await new AsyncFunction('modules', 'console', plain)(modules, console);
  const promised = [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1] ?? '');
  expect(promised).toHaveLength(4);
  expect(printed).toEqual(promised);
});

test('the README has every setting with its default', () => {
  for (const [name, value] of Object.entries(root.defaultMembershipSettings)) {
    expect(readme, name).toContain(`| \`${name}\` | ${value.toLocaleString('en-US')} |`);
  }
  for (const name of Object.keys(grpc.defaultGrpcTransportLimits)) expect(readme, name).toContain(`\`${name}\``);
});
