/** `pnpm sim replication`: nodes that all write, cut off, crashed, put back, trimmed, slow. */
import { parseArgs } from 'node:util';
import { runReplicationSimulation } from './run-replication-simulation.js';

const usage = `usage: pnpm sim replication [options]

  --seed n      the first seed; default: by the clock
  --count n     how many seeds, one after the other; default 1
  --nodes n     default 3
  --seconds n   of virtual time with faults for each seed; default 20
  --trace       print the faults

exit code: 0 nothing was found, 1 a seed found something, 2 wrong usage`;

/** Runs the command; its exit code. */
export async function replicationCommand(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      count: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '20' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
  const [count, nodes, seconds] = [Number(values.count), Number(values.nodes), Number(values.seconds)];
  if (values.help || ![seed, count, nodes, seconds].every(Number.isSafeInteger) || nodes < 2) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const startMs = performance.now();
  const counts = new Map<string, number>();
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
    const result = await runReplicationSimulation({ seed: seed + i, nodes, seconds, ...onTrace });
    for (const [what, more] of result.counts) counts.set(what, (counts.get(what) ?? 0) + more);
    if (result.violation === undefined) continue;
    failed++;
    console.log(`seed ${result.seed}: ${result.violation}`);
    console.log(`  again: pnpm sim replication --seed ${result.seed} --nodes ${nodes} --seconds ${seconds} --trace`);
  }
  const elapsed = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${count - failed} ok, ${failed} failed, ${elapsed} s`);
  console.log(`went through ${[...counts].map(([what, times]) => `${times} ${what}`).join(', ')}`);
  return failed === 0 ? 0 : 1;
}
