import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type KeyValueInput, type KeyValueOutput, keyValueModel } from './key-value-model.js';
import { checkLinearizability } from './linearizability.js';
import type { Operation } from './operation.js';
import { parseKeyValueHistory, parseRegisterHistory } from './parse-history.js';
import { registerModel } from './register-model.js';
import { violationPage } from './violation-page.js';

const never = () => false;

/** Lines of a register's log without their heads. */
function register(...lines: readonly string[]) {
  return parseRegisterHistory(lines.map((line) => `INFO  jepsen.util - ${line.replaceAll(' ', '\t')}`).join('\n'));
}

const check = (...lines: readonly string[]) => checkLinearizability(register(...lines), registerModel, never).verdict;

describe('a register', () => {
  test('may be read between the call and the answer of a write, as before it or as after it', () => {
    const around = (value: string) => [
      '0 :invoke :write 1',
      '1 :invoke :read nil',
      `1 :ok :read ${value}`,
      '0 :ok :write 1',
    ];
    expect(check(...around('nil'))).toBe('linearizable');
    expect(check(...around('1'))).toBe('linearizable');
    expect(check(...around('2'))).toBe('violation');
  });

  test('must show a write that was answered before the read was called', () => {
    const lines = ['0 :invoke :write 1', '0 :ok :write 1', '1 :invoke :read nil'];
    expect(check(...lines, '1 :ok :read 1')).toBe('linearizable');
    expect(check(...lines, '1 :ok :read nil')).toBe('violation');
  });

  test('may show a write without an answer at any time after its call, or never, but not take it back', () => {
    const open = ['0 :invoke :write 7', '0 :info :write :timed-out'];
    const reads = (...values: readonly string[]) =>
      values.flatMap((value) => ['1 :invoke :read nil', `1 :ok :read ${value}`]);
    expect(check(...open, ...reads('nil', 'nil', '7'))).toBe('linearizable');
    expect(check(...open, ...reads('nil'))).toBe('linearizable');
    expect(check(...open, ...reads('7', 'nil'))).toBe('violation');
  });

  test('swaps where the value is the one named, and says so', () => {
    const written = ['0 :invoke :write 3', '0 :ok :write 3'];
    expect(check(...written, '0 :invoke :cas [3 4]', '0 :ok :cas [3 4]')).toBe('linearizable');
    expect(check(...written, '0 :invoke :cas [3 4]', '0 :fail :cas [3 4]')).toBe('violation');
    expect(check(...written, '0 :invoke :cas [2 4]', '0 :ok :cas [2 4]')).toBe('violation');
    expect(check(...written, '0 :invoke :cas [2 4]', '0 :fail :cas [2 4]')).toBe('linearizable');
  });
});

describe('keys', () => {
  const line = (process: number, type: string, f: string, key: string, value: string | undefined) =>
    `{:process ${process}, :type :${type}, :f :${f}, :key "${key}", :value ${value === undefined ? 'nil' : JSON.stringify(value)}}`;
  const text = (seen: string) =>
    [
      line(0, 'invoke', 'append', 'k', 'a'),
      line(1, 'invoke', 'append', 'k', 'b'),
      line(1, 'ok', 'append', 'k', 'b'),
      line(0, 'ok', 'append', 'k', 'a'),
      line(0, 'invoke', 'get', 'k', undefined),
      line(0, 'ok', 'get', 'k', seen),
    ].join('\n');
  const verdict = (seen: string) =>
    checkLinearizability(parseKeyValueHistory(text(seen)).get('k') ?? [], keyValueModel, never).verdict;

  test('show appends in one of their orders, and nothing else', () => {
    expect(verdict('ab')).toBe('linearizable');
    expect(verdict('ba')).toBe('linearizable');
    expect(verdict('a')).toBe('violation');
    expect(verdict('aba')).toBe('violation');
  });
});

type KeyOperation = Operation<KeyValueInput, KeyValueOutput>;

/** By trying every order. */
function hasOrder(operations: readonly KeyOperation[], state: string): boolean {
  if (operations.every((one) => one.return === Number.POSITIVE_INFINITY)) return true;
  const firstEnd = Math.min(...operations.map((one) => one.return));
  return operations.some((operation, i) => {
    if (operation.call > firstEnd) return false;
    const after = keyValueModel.step(state, operation.input, operation.output);
    return after !== undefined && hasOrder(operations.toSpliced(i, 1), after);
  });
}

test('the search finds what trying every order finds, also where much has no answer', () => {
  const operation = fc
    .record({
      kind: fc.constantFrom('get', 'put', 'append'),
      value: fc.constantFrom('', 'a', 'b', 'ab'),
      call: fc.nat(12),
      lasts: fc.option(fc.nat(6), { freq: 2 }),
    })
    .map(({ kind, value, call, lasts }, process = 0): KeyOperation => {
      const input = (kind === 'get' ? { type: 'get' } : { type: kind, value }) as KeyValueInput;
      const output = lasts === null ? undefined : kind === 'get' ? { value } : {};
      return { process, input, output, call, return: lasts === null ? Number.POSITIVE_INFINITY : call + lasts };
    });
  const verdicts = new Set<string>();
  const history = fc.array(operation, { maxLength: 7 });
  const seed = 20_261_121;
  fc.assert(
    fc.property(history, (operations) => {
      const { verdict } = checkLinearizability(operations, keyValueModel, never);
      verdicts.add(verdict);
      expect(verdict).toBe(hasOrder(operations, '') ? 'linearizable' : 'violation');
      const bounds = [0, 1, 7].map((most) => checkLinearizability(operations, keyValueModel, never, most).verdict);
      expect(bounds[2]).toBe(verdict);
      if (bounds.includes('linearizable')) expect(verdict).toBe('linearizable');
    }),
    { seed, numRuns: 1500 },
  );
  expect([...verdicts].sort()).toEqual(['linearizable', 'violation']);
});

test('many writes without an answer, seen by nobody, do not make the search long', () => {
  const open = Array.from({ length: 40 }, (_, i) => [
    `${100 + i} :invoke :write 9${i}`,
    `${100 + i} :info :write :timed-out`,
  ]);
  const seen = Array.from({ length: 60 }, (_, i) => {
    return [`0 :invoke :write ${i}`, `0 :ok :write ${i}`, '0 :invoke :read nil', `0 :ok :read ${i}`];
  });
  let looks = 0;
  const { verdict } = checkLinearizability(register(...open.flat(), ...seen.flat()), registerModel, () => ++looks > 3);
  expect(verdict).toBe('linearizable');
});

test('a search that is given no time says that it does not know', () => {
  const lines = Array.from({ length: 14 }, (_, i) => `${i} :invoke :write ${i}`);
  const ends = lines.map((_, i) => `${i} :ok :write ${i}`);
  const operations = register(...lines, ...ends, '20 :invoke :read nil', '20 :ok :read 99');
  expect(checkLinearizability(operations, registerModel, () => true).verdict).toBe('unknown');
});

test('a violation has a page that shows every operation and the longest order', () => {
  const operations = register('0 :invoke :write 1', '0 :ok :write 1', '1 :invoke :read nil', '1 :ok :read 2');
  const { longest } = checkLinearizability(operations, registerModel, never);
  const page = violationPage('a <title>', operations, longest, registerModel);
  expect(page).toContain('a &lt;title&gt;');
  expect(page).toContain('1. write 1');
  expect(page).toContain('read → 2');
});

test('a line that is no event is refused', () => {
  expect(() => parseRegisterHistory('hello')).toThrow("'hello' is no event");
  expect(() => register('0 :ok :write 1')).toThrow('had not called');
});
