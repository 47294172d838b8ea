/** `pnpm nemesis`: real nodes under faults, their clients' histories checked. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findLeftovers } from './leftovers.js';
import { type NemesisOptions, parseNemesisOptions, repeatCommand } from './nemesis-options.js';
import { reportRow, reportText } from './report.js';
import { NemesisRun } from './run-nemesis.js';

const serverMain = fileURLToPath(new URL('../../apps/server/dist/main.js', import.meta.url));

async function clean(): Promise<number> {
  let count = 0;
  for (const { what, remove } of await findLeftovers()) {
    console.log(`removing ${what}`);
    await remove();
    count++;
  }
  console.log(count === 0 ? 'nothing was left behind' : `${count} removed`);
  return 0;
}

async function nameLeftovers(): Promise<void> {
  const left = await findLeftovers();
  if (left.length === 0) return;
  console.log(`left behind by runs that were killed (pnpm nemesis --clean removes it):`);
  for (const { what } of left) console.log(`  ${what}`);
}

async function runOnce(options: NemesisOptions): Promise<number> {
  if (!existsSync(serverMain)) {
    console.error(`there is no server at ${serverMain}; build it: npm run build`);
    return 2;
  }
  await nameLeftovers();
  console.log(repeatCommand(options));
  const run = new NemesisRun(options, (line) => console.log(line));
  let isInterrupted = false;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      if (isInterrupted) return;
      isInterrupted = true;
      console.log(`${signal}: cleaning up`);
      void run.remove({ isInterrupted }).finally(() => process.exit(code));
    });
  }
  try {
    const report = await run.run();
    console.log(`\n${reportText(report)}\n${reportRow(report)}`);
    return { ok: 0, violation: 1, undecided: 2 }[report.verdict];
  } catch (error) {
    if (!isInterrupted) console.error(`the run could not be judged: ${(error as Error).stack}`);
    return 2;
  } finally {
    if (!isInterrupted) await run.remove();
  }
}

const intention = parseNemesisOptions(process.argv.slice(2), Date.now());
let code: number;
if (intention.type === 'print') {
  (intention.code === 0 ? console.log : console.error)(intention.text);
  code = intention.code;
} else code = intention.type === 'clean' ? await clean() : await runOnce(intention.options);
// Connections to nodes that are gone may still wait for their time to run out.
process.exit(code);
