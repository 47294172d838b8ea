/**
 * `pnpm histories <folder>`: checks recorded histories for linearizability and compares with the verdicts that came with
 * them: `VERDICTS.txt` beside register histories (`*.log`), `ok` or `bad` in the name of key-value histories (`*.txt`).
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { keyValueModel } from './key-value-model.js';
import { type CheckResult, checkLinearizability, type Verdict } from './linearizability.js';
import type { Model, Operation } from './operation.js';
import { parseKeyValueHistory, parseRegisterHistory } from './parse-history.js';
import { registerModel } from './register-model.js';
import { violationPage } from './violation-page.js';

const usage = `usage: pnpm histories <folder> [--seconds n] [--pictures folder]

  --seconds n        time for one history; default 10
  --pictures folder  where to write a page for each violation; default: none is written

exit code: 0 every verdict is as expected, 1 not all are, 2 wrong usage or no histories`;

interface Settings {
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
function check(path: string, name: string, { seconds, pictures }: Settings): Verdict {
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
  console.log(`      picture: ${file}`);
}

function main(): number {
  const { values, positionals } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      pictures: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const [folder] = positionals;
  const seconds = Number(values.seconds);
  if (values.help || folder === undefined || !(seconds > 0)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const histories = historiesIn(folder);
  if (histories.length === 0) {
    console.error(`no histories with a verdict under '${folder}'`);
    return 2;
  }
  let wrong = 0;
  for (const path of histories) {
    const name = relative(folder, path);
    const startMs = performance.now();
    const verdict = check(path, name, { seconds, pictures: values.pictures });
    const isRight = verdict === expectedOf(path);
    if (!isRight) wrong++;
    const elapsedMs = Math.round(performance.now() - startMs);
    console.log(`${isRight ? 'right' : 'WRONG'}  ${name}: ${verdict} (${elapsedMs} ms)`);
  }
  console.log(`${histories.length - wrong} right, ${wrong} wrong`);
  return wrong === 0 ? 0 : 1;
}

process.exitCode = main();
