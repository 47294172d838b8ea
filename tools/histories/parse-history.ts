/** The published forms of histories: one line an event, in the order in which they happened. */
import type { KeyValueInput, KeyValueOutput } from './key-value-model.js';
import type { Operation } from './operation.js';
import type { RegisterInput, RegisterOutput } from './register-model.js';

/** One event of one process. */
interface HistoryEvent<Input, Output> {
  readonly process: number;
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly input?: Input;
  readonly output?: Output;
}

/** A register's log: `INFO jepsen.util - 3 :invoke :cas [1 4]`, then `:ok`, `:fail` or `:info`. Throws where a line cannot be read. */
export function parseRegisterHistory(text: string): Operation<RegisterInput, RegisterOutput>[] {
  return pair(linesOf(text).map(parseRegisterLine));
}

/** Several keys' log: `{:process 0, :type :invoke, :f :append, :key "4", :value "x"}`. By key. Throws where a line cannot be read. */
export function parseKeyValueHistory(text: string): Map<string, Operation<KeyValueInput, KeyValueOutput>[]> {
  const events = linesOf(text).map(parseKeyValueLine);
  const byKey = new Map<string, Operation<KeyValueInput, KeyValueOutput>[]>();
  for (const operation of pair(events.map(({ event }) => event))) {
    const key = events[operation.call]?.key as string;
    const known = byKey.get(key);
    if (known === undefined) byKey.set(key, [operation]);
    else known.push(operation);
  }
  return byKey;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line.trim() !== '');
}

/** Joins each call with its answer. Times are line numbers. Calls that failed as a whole have not happened and are left out. */
function pair<Input, Output>(events: readonly HistoryEvent<Input, Output>[]): Operation<Input, Output>[] {
  const open = new Map<number, { readonly input: Input; readonly call: number }>();
  const operations: Operation<Input, Output>[] = [];
  const unanswered = (process: number, { input, call }: { input: Input; call: number }) =>
    operations.push({ process, input, output: undefined, call, return: Number.POSITIVE_INFINITY });
  for (const [at, { process, type, input, output }] of events.entries()) {
    const called = open.get(process);
    if (type === 'invoke') {
      if (called !== undefined) unanswered(process, called);
      open.set(process, { input: input as Input, call: at });
      continue;
    }
    if (called === undefined) throw new Error(`line ${at + 1}: process ${process} was answered and had not called`);
    open.delete(process);
    if (type === 'info') unanswered(process, called);
    else if (output !== undefined) operations.push({ process, ...called, output, return: at });
  }
  for (const [process, called] of open) unanswered(process, called);
  return operations.sort((a, b) => a.call - b.call);
}

const registerLine = /(\d+)\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*)$/;

function parseRegisterLine(line: string): HistoryEvent<RegisterInput, RegisterOutput> {
  const [, processText, type, operation, rest = ''] = registerLine.exec(line) ?? unreadable(line);
  const process = Number(processText);
  const numbers = (rest.match(/-?\d+/g) ?? []).map(Number);
  const [first, second] = numbers;
  if (type === 'info') return { process, type };
  if (type === 'invoke') {
    if (operation === 'read') return { process, type, input: { type: 'read' } };
    if (operation === 'write') return { process, type, input: { type: 'write', value: first as number } };
    return { process, type, input: { type: 'cas', from: first as number, to: second as number } };
  }
  const isOk = type === 'ok';
  const kind = isOk ? 'ok' : 'fail';
  if (operation === 'cas') return { process, type: kind, output: { isSwapped: isOk } };
  if (!isOk) return { process, type: kind };
  return { process, type: kind, output: operation === 'read' ? { value: first } : {} };
}

const keyValueLine =
  /^\{:process (\d+), :type :(invoke|ok|fail|info), :f :(get|put|append), :key ("(?:[^"\\]|\\.)*"), :value (nil|"(?:[^"\\]|\\.)*")\}$/;

function parseKeyValueLine(line: string): { key: string; event: HistoryEvent<KeyValueInput, KeyValueOutput> } {
  const [, processText, type, operation, key, value] = keyValueLine.exec(line.trim()) ?? unreadable(line);
  const process = Number(processText);
  const text = value === 'nil' ? '' : (JSON.parse(value as string) as string);
  return { key: JSON.parse(key as string) as string, event: keyValueEvent(process, type, operation, text) };
}

function keyValueEvent(
  process: number,
  type: string | undefined,
  operation: string | undefined,
  value: string,
): HistoryEvent<KeyValueInput, KeyValueOutput> {
  const isRead = operation === 'get';
  if (type === 'invoke') {
    if (isRead) return { process, type, input: { type: 'get' } };
    return { process, type, input: { type: operation === 'put' ? 'put' : 'append', value } };
  }
  if (type === 'ok') return { process, type, output: isRead ? { value } : {} };
  return { process, type: type === 'info' ? 'info' : 'fail' };
}

function unreadable(line: string): never {
  throw new Error(`'${line}' is no event of a history`);
}
