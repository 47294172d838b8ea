import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseDirectives } from './datadriven-file.js';
import { publishedData } from './published-data.js';
import { type FileKind, runFile } from './run-file.js';

const election = `# One node elects itself.
log-level info
----
ok

add-nodes 1 voters=(1) index=3
----
INFO 1 switched to configuration voters=(1)
INFO 1 became follower at term 0
INFO newRaft 1 [peers: [1], term: 0, commit: 3, applied: 3, lastindex: 3, lastterm: 1]

campaign 1
----
INFO 1 is starting a new election at term 0
INFO 1 became candidate at term 1

raft-state
----
1: StateCandidate (Voter) Term:1 Lead:0
`;

describe('directives', () => {
  test('arguments, lists, input and doubled output marks are read', () => {
    const [first, second] = parseDirectives(
      'cmd 1 key=(a, b) flag=\nsome\ninput\n----\nout\n\nother\n----\n----\na\n\nb\n----\n----\n',
    );
    expect(first).toMatchObject({ command: 'cmd', input: 'some\ninput', expected: 'out\n', line: 1 });
    expect(first?.arguments).toEqual([
      { key: '1', values: [] },
      { key: 'key', values: ['a', 'b'] },
      { key: 'flag', values: [] },
    ]);
    expect(second).toMatchObject({ command: 'other', expected: 'a\n\nb\n' });
  });

  test('a directive without its mark is refused', () => {
    expect(() => parseDirectives('cmd\n')).toThrow("'cmd' has no '----'");
  });
});

describe('a file', () => {
  test('passes where everything is printed as expected, with and without log lines', () => {
    for (const isStrict of [true, false]) expect(runFile('interaction', election, isStrict).difference).toBeUndefined();
  });

  test('fails at the first line that differs, a log line only where they count', () => {
    const wrong = election.replace('became candidate at term 1', 'became candidate at term 2');
    expect(runFile('interaction', wrong, false).difference).toBeUndefined();
    expect(runFile('interaction', wrong, true).difference?.directive.command).toBe('campaign');
    const wronger = election.replace('StateCandidate (Voter)', 'StateLeader (Voter)');
    expect(runFile('interaction', wronger, false).difference?.directive.command).toBe('raft-state');
  });

  test('with a command or an option that nobody knows is no pass', () => {
    expect(() => runFile('interaction', 'dance 1\n----\nok\n', false)).toThrow("unknown command 'dance'");
    expect(() => runFile('interaction', 'add-nodes 1 wings=2\n----\nok\n', false)).toThrow("unknown option 'wings'");
    expect(() => runFile('quorum', 'dance\n----\nok\n', false)).toThrow('unknown command');
    expect(() => runFile('confchange', 'dance\n----\nok\n', false)).toThrow('unknown command');
  });
});

const folder = publishedData('etcd-raft');

describe.skipIf(folder === undefined)('published traces (skipped where they are not beside the checkout)', () => {
  const kinds: readonly FileKind[] = ['quorum', 'confchange', 'interaction'];
  const files = kinds.flatMap((kind) =>
    folder === undefined ? [] : readdirSync(join(folder, kind)).map((name) => ({ kind, name })),
  );
  test.each(files)('$kind/$name, with its log lines', ({ kind, name }) => {
    const text = readFileSync(join(folder as string, kind, name), 'utf8');
    const { directives, difference } = runFile(kind, text, true);
    expect(difference).toBeUndefined();
    expect(directives).toBeGreaterThan(0);
  });
});
