/** Histories in a folder, checked, beside the verdicts that came with them. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { keyValueModel } from './key-value-model.js';
import { type CheckResult, checkLinearizability, type Verdict } from './linearizability.js';
import type { Model, Operation } from './operation.js';
import { parseKeyValueHistory, parseRegisterHistory } from './parse-history.js';
import { registerModel } from './register-model.js';
import { violationPage } from './violation-page.js';

/** How histories are checked. */
export interface CheckSettings {
  /** For one history. */
  readonly seconds: number;
  readonly pictures: string | undefined;
}

function historiesIn(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return historiesIn(path);
    return expectedOf(path) === undefined ? [] : [path];
  });
}

/** The verdict that came with a history; `undefined` where it is none. */
function expectedOf(path: string): Verdict | undefined {
  const name = basename(path);
  if (name.endsWith('.log')) {
    const verdicts = join(dirname(path), 'VERDICTS.txt');
    const text = existsSync(verdicts) ? readFileSync(verdicts, 'utf8') : '';
    const verdict = new RegExp(`^${name.slice(0, -4)}\\s+(\\S+)`, 'm').exec(text)?.[1];
    if (verdict === undefined) return undefined;
    return verdict === 'linearizable' ? 'linearizable' : 'violation';
  }
  if (!/\b(ok|bad)\.txt$/.test(name)) return undefined;
  return name.endsWith('ok.txt') ? 'linearizable' : 'violation';
}

/** One history of one object, with its name. */
interface Part {
  readonly name: string;
  check(isOverdue: () => boolean): CheckResult;
  picture(title: string, longest: readonly number[]): string;
}

function part<State, Input, Output>(
  name: string,
  operations: readonly Operation<Input, Output>[],
  model: Model<State, Input, Output>,
): Part {
  return {
    name,
    check: (isOverdue) => checkLinearizability(operations, model, isOverdue),
    picture: (title, longest) => violationPage(title, operations, longest, model),
  };
}

function partsOf(path: string): Part[] {
  const text = readFileSync(path, 'utf8');
  if (path.endsWith('.log')) return [part('register', parseRegisterHistory(text), registerModel)];
  return [...parseKeyValueHistory(text)].map(([key, operations]) => part(`key ${key}`, operations, keyValueModel));
}

/** The worst verdict of a history's parts: one violation is one, and what is not known is not fine. */
function check(path: string, name: string, { seconds, pictures }: CheckSettings): Verdict {
  const deadlineMs = performance.now() + seconds * 1000;
  let worst: Verdict = 'linearizable';
  for (const one of partsOf(path)) {
    const { verdict, longest } = one.check(() => performance.now() > deadlineMs);
    if (verdict === 'violation') {
      if (pictures !== undefined) draw(pictures, `${name}, ${one.name}`, one, longest);
      return 'violation';
    }
    if (verdict === 'unknown') worst = 'unknown';
  }
  return worst;
}

function draw(folder: string, title: string, one: Part, longest: readonly number[]): void {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${title.replace(/[^\w.-]+/g, '-')}.html`);
  writeFileSync(file, one.picture(title, longest));
}

/** What was found of one history. */
export interface CheckedHistory {
  readonly name: string;
  readonly verdict: Verdict;
  readonly expected: Verdict;
  readonly elapsedMs: number;
}

/** Checks every history under a folder that came with a verdict, telling of each as it is done. */
export function checkFolder(
  folder: string,
  settings: CheckSettings,
  onChecked: (history: CheckedHistory) => void = () => undefined,
): CheckedHistory[] {
  return historiesIn(folder).map((path) => {
    const name = relative(folder, path);
    const startMs = performance.now();
    const verdict = check(path, name, settings);
    const elapsedMs = performance.now() - startMs;
    const history = { name, verdict, expected: expectedOf(path) as Verdict, elapsedMs };
    onChecked(history);
    return history;
  });
}
