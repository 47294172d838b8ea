import { describe, expect, it } from 'vitest';
import { checkArchitecture } from './architecture.js';
import { checkDecoders } from './decoders.js';
import { checkContractComments, checkFileShape, checkWords } from './house-style.js';
import { checkMutations } from './mutations.js';
import { codeOnly } from './source-files.js';

const messages = (path: string, text: string) => checkArchitecture({ path, text }).map((finding) => finding.message);

describe('the architecture check', () => {
  it('lets a package import env, and its own files', () => {
    expect(
      messages('packages/wal/src/wal.ts', "import { a } from '@shanghai/env';\nimport { b } from './b.js';\n"),
    ).toEqual([]);
  });
  it('refuses one package in another, also as a type and over several lines', () => {
    expect(messages('packages/wal/src/wal.ts', "import type {\n  A,\n} from '@shanghai/bitcask';\n")).toHaveLength(1);
    expect(messages('packages/env/src/a.ts', "export * from '@shanghai/wal';\n")).toHaveLength(1);
    expect(messages('packages/env/src/a.ts', "const a = await import('@shanghai/wal');\n")).toHaveLength(1);
  });
  it('refuses a way round through relative paths', () => {
    expect(messages('packages/wal/src/wal.ts', "import { a } from '../../env/src/disk.js';\n")).toHaveLength(1);
  });
  it('refuses the own barrel, but not in a barrel', () => {
    expect(messages('packages/wal/src/wal.ts', "import { a } from './index.js';\n")).toHaveLength(1);
    expect(messages('packages/client/src/index.ts', "export { a } from './core/index.js';\n")).toEqual([]);
  });
  it('refuses node: modules outside env and the apps, and in every core', () => {
    expect(messages('packages/wal/src/wal.ts', "import fs from 'node:fs';\n")).toHaveLength(1);
    expect(messages('packages/env/src/node/node-disk.ts', "import fs from 'node:fs';\n")).toEqual([]);
    expect(messages('apps/server/src/core/x.ts', "import fs from 'node:fs';\n")).toHaveLength(1);
  });
  it('refuses clocks, timers and randomness outside env and the apps, but not words about them', () => {
    expect(messages('packages/wal/src/wal.ts', 'const now = Date.now();\nsetTimeout(f, 1);\n')).toHaveLength(2);
    expect(messages('packages/wal/src/wal.ts', '// never Date.now() here\nconst a = "Math.random";\n')).toEqual([]);
    expect(messages('apps/server/src/main.ts', 'const now = Date.now();\n')).toEqual([]);
    expect(messages('apps/server/src/apply/apply.ts', 'const now = Date.now();\n')).toHaveLength(1);
  });
  it('refuses promises in a core', () => {
    expect(
      messages('packages/wal/src/core/frame.ts', 'export async function f(): Promise<void> {}\n').length,
    ).toBeGreaterThan(0);
  });
});

describe('house style', () => {
  it('wants kebab-case names that say something, and files of a readable size', () => {
    expect(checkFileShape({ path: 'packages/wal/src/groupCommit.ts', text: '' })).toHaveLength(1);
    expect(checkFileShape({ path: 'packages/wal/src/utils.ts', text: '' })).toHaveLength(1);
    expect(checkFileShape({ path: 'packages/wal/src/group-commit.ts', text: 'x\n'.repeat(501) })).toHaveLength(1);
    expect(checkFileShape({ path: 'packages/wal/src/group-commit.ts', text: 'x\n'.repeat(500) })).toEqual([]);
  });
  it('wants a contract comment on every exported declaration', () => {
    const path = 'packages/wal/src/a.ts';
    expect(checkContractComments({ path, text: 'export function f(): void {}\n' })).toHaveLength(1);
    expect(checkContractComments({ path, text: '/** Does f. */\nexport function f(): void {}\n' })).toEqual([]);
    expect(checkContractComments({ path, text: '// f\nexport const f = 1;\n' })).toHaveLength(1);
  });
  it('finds paths of a machine and marks of unfinished work', () => {
    expect(checkWords({ path: 'docs/a.md', text: `see ${['', 'root', 'x'].join('/')}` })).toHaveLength(1);
    expect(checkWords({ path: 'packages/a/src/a.ts', text: `// ${'TO'}DO later\n` })).toHaveLength(1);
    expect(checkWords({ path: 'docs/a.md', text: 'POST /api/v1/home/abc/x' })).toEqual([]);
  });
});

describe('codeOnly', () => {
  it('blanks comments and strings and keeps the lines', () => {
    const text = "a(); // b()\n/* c()\n */ d('e()');\n";
    expect(codeOnly(text).split('\n')).toHaveLength(text.split('\n').length);
    expect(codeOnly(text)).not.toMatch(/b\(|c\(|e\(/);
    expect(codeOnly(text)).toMatch(/a\(\)[\s\S]*d\(/);
  });
});

describe('the check of decoders', () => {
  const file = {
    path: 'packages/wal/src/a.ts',
    text: '\nexport async function decodeA(\n  bytes: Uint8Array,\n) {}\n',
  };
  const key = 'packages/wal/src/a.ts#decodeA';
  it('finds a decoder that nobody fuzzes, with its line', () => {
    expect(checkDecoders([file], { fuzzed: {}, other: {} })).toMatchObject([{ path: file.path, line: 2 }]);
  });
  it('takes one that has a target or a reason, and finds entries that are left over', () => {
    expect(checkDecoders([file], { fuzzed: { [key]: 'a' }, other: {} })).toEqual([]);
    expect(checkDecoders([file], { fuzzed: {}, other: { [key]: 'why' } })).toEqual([]);
    expect(checkDecoders([], { fuzzed: { [key]: 'a' }, other: {} })).toHaveLength(1);
  });
  it('passes over names that only begin alike, and tests', () => {
    const text = 'export function readiness() {}\n';
    expect(checkDecoders([{ path: file.path, text }], { fuzzed: {}, other: {} })).toEqual([]);
    expect(checkDecoders([{ ...file, path: 'packages/wal/src/a.test.ts' }], { fuzzed: {}, other: {} })).toEqual([]);
  });
});

describe('the check of planted bugs', () => {
  const files = [
    { path: 'a.ts', text: 'one two two' },
    { path: 'a.test.ts', text: '' },
  ];
  const mutation = { name: 'a/b', breaks: '', file: 'a.ts', find: 'one', replace: 'none', tests: ['a.test.ts'] };
  it('takes one whose text is there once, and its tests', () => {
    expect(checkMutations(files, [mutation])).toEqual([]);
  });
  it('finds a text that is not there, or twice, and a test or a file that is not there', () => {
    expect(checkMutations(files, [{ ...mutation, find: 'three' }])).toHaveLength(1);
    expect(checkMutations(files, [{ ...mutation, find: 'two' }])).toHaveLength(1);
    expect(checkMutations(files, [{ ...mutation, tests: ['b.test.ts'] }])).toHaveLength(1);
    expect(checkMutations(files, [{ ...mutation, file: 'b.ts' }])).toHaveLength(1);
  });
});
