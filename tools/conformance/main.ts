/**
 * `pnpm conformance <folder> [--strict]`: replays the published traces of consensus in a folder and its sub-folders
 * `quorum`, `confchange` and `interaction`, and says of each file whether this core does the same.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { type FileKind, runFile } from './run-file.js';

const usage = `usage: pnpm conformance <folder> [--strict]

  <folder>   holds files *.txt in folders named quorum, confchange or interaction, at any depth
  --strict   log lines must be the same, too

exit code: 0 all pass, 1 some fail, 2 wrong usage or no files`;

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  const names = readdirSync(path).sort();
  return names.flatMap((name) => filesIn(join(path, name))).filter((file) => kindOf(file) !== undefined);
}

function kindOf(file: string): FileKind | undefined {
  if (!file.endsWith('.txt')) return undefined;
  const folder = basename(dirname(file));
  return folder === 'quorum' || folder === 'confchange' || folder === 'interaction' ? folder : undefined;
}

function shown(text: string): string {
  return text.replace(/^/gm, '    ').trimEnd();
}

function passes(folder: string, file: string, isStrict: boolean): boolean {
  const name = relative(folder, file) || file;
  try {
    const { directives, difference } = runFile(kindOf(file) as FileKind, readFileSync(file, 'utf8'), isStrict);
    if (difference === undefined) {
      console.log(`pass  ${name} (${directives} directives)`);
      return true;
    }
    const { directive, printed } = difference;
    console.log(`FAIL  ${name}:${directive.line} ${directive.command}`);
    console.log(`  expected\n${shown(directive.expected)}\n  printed\n${shown(printed)}`);
  } catch (error) {
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return false;
}

function main(): number {
  const { values, positionals } = parseArgs({
    options: { strict: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    allowPositionals: true,
  });
  const [folder] = positionals;
  if (values.help || folder === undefined || positionals.length !== 1) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  if (!existsSync(folder)) {
    console.error(`there is no '${folder}'`);
    return 2;
  }
  const files = filesIn(folder);
  if (files.length === 0) {
    console.error(`no files *.txt in folders named quorum, confchange or interaction under '${folder}'`);
    return 2;
  }
  const failed = files.filter((file) => !passes(folder, file, values.strict)).length;
  console.log(`${files.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

process.exitCode = main();
