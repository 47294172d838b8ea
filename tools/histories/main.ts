/**
 * `pnpm histories <folder>`: checks recorded histories for linearizability and compares with the verdicts that came with
 * them: `VERDICTS.txt` beside register histories (`*.log`), `ok` or `bad` in the name of key-value histories (`*.txt`).
 */
import { existsSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { checkFolder } from './check-folder.js';

const usage = `usage: pnpm histories <folder> [--seconds n] [--pictures folder]

  --seconds n        time for one history; default 10
  --pictures folder  where to write a page for each violation; default: none is written

exit code: 0 every verdict is as expected, 1 not all are, 2 wrong usage or no histories`;

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
  if (!existsSync(folder) || !statSync(folder).isDirectory()) {
    console.error(`'${folder}' is no folder`);
    return 2;
  }
  const histories = checkFolder(folder, { seconds, pictures: values.pictures }, (history) => {
    const { name, verdict, expected, elapsedMs } = history;
    console.log(`${verdict === expected ? 'right' : 'WRONG'}  ${name}: ${verdict} (${Math.round(elapsedMs)} ms)`);
  });
  if (histories.length === 0) {
    console.error(`no histories with a verdict under '${folder}'`);
    return 2;
  }
  const wrong = histories.filter(({ verdict, expected }) => verdict !== expected).length;
  console.log(`${histories.length - wrong} right, ${wrong} wrong`);
  return wrong === 0 ? 0 : 1;
}

process.exitCode = main();
