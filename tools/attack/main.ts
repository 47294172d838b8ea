/**
 * `pnpm attack`: three nodes as processes, somebody who uses them, and one attack after the other. After each: every node
 * lives and serves a new client, none held more than it may, he who used them saw no failure, and every answer to the
 * attacker was one that says what is wrong. Exit code 0, 1 (something was found), 2 (wrong usage, or it could not run).
 */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createSeededRandom } from '@shanghai/env';
import { killAll, serverMain } from '../real-data/processes.js';
import { attacks } from './all-attacks.js';
import type { Attack } from './attack.js';
import { copiedDirectory } from './copied-directory.js';
import { HealthyClient } from './healthy-client.js';
import { type AttackReport, reportTable } from './report.js';
import { Victims } from './victims.js';

const usage = `usage: pnpm attack [options]

Three real nodes, somebody who uses them, and one attack after the other.

  --seed n           default: by the clock
  --only names       some of: ${attacks.map(({ name }) => name).join(', ')}
  --scale x          how much of everything; default 1
  --max-rss-mib n    what a node may hold; default 1536: 1 GiB for the budgets, caches and the process
  --deadline-ms n    what a call of the client beside may take; default 10000
  --keep             leave data where it is

exit code: 0 nothing was found, 1 something was, 2 wrong usage, or it could not run`;

const scratch = mkdtempSync(join(tmpdir(), 'shanghai-attack-'));

interface Options {
  readonly seed: number;
  readonly chosen: readonly Attack[];
  readonly scale: number;
  readonly maxRssMib: number;
  readonly deadlineMs: number;
  readonly keep: boolean;
}

function parse(args: readonly string[]): Options | string {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        seed: { type: 'string', default: `${process.env['SHANGHAI_SEED'] ?? Date.now() % 1_000_000_007}` },
        only: { type: 'string' },
        scale: { type: 'string', default: '1' },
        'max-rss-mib': { type: 'string', default: '1536' },
        'deadline-ms': { type: 'string', default: '10000' },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) return usage;
    const names = values.only?.split(',').map((name) => name.trim());
    const unknown = names?.find((name) => !attacks.some((attack) => attack.name === name));
    if (unknown !== undefined) return `there is no attack '${unknown}'\n\n${usage}`;
    const options = {
      seed: Number(values.seed),
      chosen: attacks.filter(({ name }) => names?.includes(name) ?? true),
      scale: Number(values.scale),
      maxRssMib: Number(values['max-rss-mib']),
      deadlineMs: Number(values['deadline-ms']),
      keep: values.keep,
    };
    const isGood = [options.seed, options.scale, options.maxRssMib, options.deadlineMs].every((one) => one >= 0);
    return isGood ? options : `a number is expected\n\n${usage}`;
  } catch (error) {
    return `${(error as Error).message}\n\n${usage}`;
  }
}

/** One attack and what is to be seen after it. */
async function attackOnce(attack: Attack, options: Options, victims: Victims, healthy: HealthyClient) {
  const answers = new Map<string, number>();
  const findings: string[] = [];
  const termBefore = await victims.term();
  const startMs = performance.now();
  try {
    await attack.run({
      targets: await victims.targets(),
      random: createSeededRandom(options.seed),
      scale: options.scale,
      told: (answer) => answers.set(answer, (answers.get(answer) ?? 0) + 1),
    });
  } catch (error) {
    findings.push(`the attack broke off: ${(error as Error).stack}`);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  findings.push(...(await victims.troubles()));
  const peaksMib = victims.takePeaks();
  const seen = healthy.take();
  for (const answer of answers.keys()) if (!attack.answers.test(answer)) findings.push(`answered with '${answer}'`);
  if (peaksMib.some((mib) => mib > options.maxRssMib)) findings.push(`more than ${options.maxRssMib} MiB`);
  if (seen.failures.length > 0) findings.push(`${seen.failures.length} failures beside: ${seen.failures[0]}`);
  if (seen.operations === 0) findings.push('nothing was done beside');
  const elections = (await victims.term()) - termBefore;
  return { name: attack.name, seconds, answers, peaksMib, healthy: seen, elections, findings } satisfies AttackReport;
}

async function run(options: Options): Promise<number> {
  const victims = await Victims.start(scratch);
  const endpoints = (await victims.targets()).map(({ grpc }) => grpc);
  const healthy = new HealthyClient(endpoints, 6, options.deadlineMs);
  const reports: AttackReport[] = [];
  const all: readonly Attack[] = [
    { name: 'nothing', what: 'quiet, for comparison', answers: /^$/, run: () => sleep(5_000) },
    ...options.chosen,
    copiedDirectory(victims.nodes),
  ];
  for (const attack of all) {
    console.log(`${attack.name}: ${attack.what}`);
    const report = await attackOnce(attack, options, victims, healthy);
    for (const finding of report.findings) console.log(`  FOUND ${finding}`);
    reports.push(report);
  }
  const lost = await healthy.finish();
  for (const one of lost) console.log(`LOST ${one}`);
  await victims.stop();
  console.log(`\n${reportTable(reports)}`);
  const found = reports.filter(({ findings }) => findings.length > 0).length;
  console.log(`seed ${options.seed}: ${found === 0 && lost.length === 0 ? 'ok' : `${found} attacks found something`}`);
  return found === 0 && lost.length === 0 ? 0 : 1;
}

const options = parse(process.argv.slice(2));
let code = 2;
if (typeof options === 'string') console.error(options);
else if (!existsSync(serverMain)) console.error(`there is no server at ${serverMain}; build it: npm run build`);
else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      killAll();
      rmSync(scratch, { recursive: true, force: true });
      process.exit(130);
    });
  }
  code = await run(options).catch((error: unknown) => {
    console.error(error);
    return 2;
  });
}
killAll();
if (typeof options === 'string' || !options.keep) rmSync(scratch, { recursive: true, force: true });
// Connections of attacks may still stand.
process.exit(code);
