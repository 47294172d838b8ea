/**
 * `pnpm fuzz`: mutated inputs for every decoder, for a time. `pnpm deep fuzz` runs it and then the endpoints of a node.
 * A finding names its target, seed and case, which repeat it.
 */
import { parseArgs } from 'node:util';
import { fuzzTargets } from './all-targets.js';
import type { FuzzTarget } from './fuzz-target.js';
import { type FuzzFinding, runTarget } from './run-target.js';
import { Watchdog } from './watchdog.js';

const usage = `usage: pnpm fuzz [--seed n] [--seconds n] [--target text] [--case n] [--list]

  --seed n       which inputs; default SHANGHAI_SEED, else by the clock
  --seconds n    for all targets together; default SHANGHAI_FUZZ_SECONDS, else 60
  --target text  only targets whose name contains it
  --case n       one case of a target, as a finding names it

exit code: 0 nothing was found, 1 something was, 2 wrong usage`;

/** Cases of a target at a time. */
const chunk = 2_000;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: process.env['SHANGHAI_SEED'] ?? String(Date.now() % 1_000_000_007) },
      seconds: { type: 'string', default: process.env['SHANGHAI_FUZZ_SECONDS'] ?? '60' },
      target: { type: 'string', default: '' },
      case: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const targets = fuzzTargets.filter(({ name }) => name.includes(values.target));
  const [seed, seconds] = [Number(values.seed), Number(values.seconds)];
  if (values.help || targets.length === 0 || !(seconds > 0) || !Number.isSafeInteger(seed)) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  if (values.list) {
    for (const { name } of targets) console.log(name);
    return 0;
  }
  console.log(`SHANGHAI_SEED=${seed} SHANGHAI_FUZZ_SECONDS=${seconds}: ${targets.length} targets`);
  const watchdog = new Watchdog();
  const only = values.case === undefined ? undefined : Number(values.case);
  let found = 0;
  const shares = targets.map(shareOf).reduce((sum, share) => sum + share, 0);
  for (const target of targets) {
    const shareMs = (1000 * seconds * shareOf(target)) / shares;
    const findings = await drive(target, seed, shareMs, only, watchdog);
    for (const finding of findings) report(finding, seed);
    found += findings.length;
  }
  await watchdog.stop();
  console.log(found === 0 ? 'nothing was found' : `${found} findings`);
  return found === 0 ? 0 : 1;
}

/** Targets that open whole directories make few cases in a time. */
function shareOf({ cost = 1 }: FuzzTarget): number {
  return cost >= 20 ? 6 : 1;
}

/** Runs a target for its share of the time. */
async function drive(
  target: FuzzTarget,
  seed: number,
  shareMs: number,
  only: number | undefined,
  watchdog: Watchdog,
): Promise<readonly FuzzFinding[]> {
  const endMs = performance.now() + shareMs;
  const isOver = () => only === undefined && performance.now() > endMs;
  const begins = (name: string, number: number) => watchdog.begins(name, number);
  let [cases, accepted, from] = [0, 0, only ?? 0];
  const findings: FuzzFinding[] = [];
  do {
    const outcome = await runTarget(target, { seed, from, count: only === undefined ? chunk : 1, isOver, begins });
    cases += outcome.cases;
    accepted += outcome.accepted;
    findings.push(...outcome.findings);
    from += chunk;
  } while (only === undefined && findings.length === 0 && !isOver());
  console.log(`${target.name}: ${cases} cases, ${accepted} accepted, ${findings.length} findings`);
  return findings;
}

function report({ target, case: number, what, input, error }: FuzzFinding, seed: number): void {
  console.log(`  ${what}: pnpm fuzz --seed ${seed} --target '${target}' --case ${number}`);
  console.log(`    ${input.length} bytes: ${Buffer.from(input.subarray(0, 3_000)).toString('base64')}`);
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error ?? '');
  if (text !== '') console.log(`    ${text.split('\n').slice(0, 5).join('\n    ')}`);
}

process.exitCode = await main();
