import { readFileSync } from 'node:fs';
import * as env from '@shanghai/env';
import { expect, test } from 'vitest';
import * as root from '../src/index.js';
import * as testing from '../src/testing/index.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const example = (heading: string) => {
  const section = readme.slice(readme.indexOf(`\n## ${heading}\n`));
  return /```ts\n([\s\S]*?)```/.exec(section)?.[1] ?? '';
};
const modules: Readonly<Record<string, unknown>> = {
  '@shanghai/env': env,
  '@shanghai/raft': root,
  '@shanghai/raft/testing': testing,
};
const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>;

/** Runs an example and gives what it prints, and what its comments say it prints. */
async function run(
  code: string,
): Promise<{ readonly printed: readonly string[]; readonly promised: readonly string[] }> {
  const plain = code
    .replaceAll(/^import \{ (.+) \} from '(.+)';$/gm, (_, names: string, from: string) => {
      const values = names.split(', ').filter((name) => !name.startsWith('type '));
      return `const { ${values.join(', ')} } = modules['${from}'];`;
    })
    .replaceAll(/ implements \w+<\w+>/g, '')
    .replaceAll(/new Map<\w+, \w+>/g, 'new Map')
    .replaceAll(/: (readonly Entry\[\]|Snapshot|number|typeof nodes)(?=\))/g, '');
  const printed: string[] = [];
  const console = { log: (...values: unknown[]) => printed.push(values.map((value) => shown(value)).join(' ')) };
  await new AsyncFunction('modules', 'console', plain)(modules, console);
  return { printed, promised: [...code.matchAll(/console\.log\(.*\); \/\/ (.+)$/gm)].map((match) => match[1] ?? '') };
}

const shown = (value: unknown) =>
  Array.isArray(value)
    ? JSON.stringify(value)
        .replaceAll(/([[,])/g, '$1 ')
        .replaceAll(']', ' ]')
    : String(value);

test('the counter on three hosts runs in under 60 lines, and prints what it says', async () => {
  const code = example('Example');
  expect(code.trimEnd().split('\n').length).toBeLessThan(60);
  const { printed, promised } = await run(code);
  expect(promised.length).toBeGreaterThan(2);
  expect(printed).toEqual(promised);
});

test('the counter on the core alone prints what it says', async () => {
  const { printed, promised } = await run(example('The core alone'));
  expect(promised.length).toBeGreaterThan(3);
  expect(printed).toEqual(promised);
});

test('the README has every limit of a host', () => {
  for (const name of Object.keys(root.defaultHostLimits)) expect(readme, name).toContain(`\`${name}\``);
});
