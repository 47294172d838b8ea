/** `pnpm sim keyspace`: replicas of one keyspace that all write, cut off, lost, with clocks that jump. */
import { parseArgs } from 'node:util';
import { runKeyspaceSimulation } from './run-keyspace-simulation.js';

const usage = `usage: pnpm sim keyspace [options]

  --seed n      the first seed; default: by the clock
  --count n     how many seeds, one after the other; default 1
  --nodes n     members at the start; default 3
  --events n    what happens before all is brought to all; default 400
  --trace       print the rare events

exit code: 0 nothing was found, 1 a seed found something, 2 wrong usage`;

/** Runs the command; its exit code. */
export function keyspaceCommand(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      count: { type: 'string', default: '1' },
      nodes: { type: 'string', default: '3' },
      events: { type: 'string', default: '400' },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
    allowPositionals: true,
  });
  const seed = Number(values.seed ?? Date.now() % 1_000_000_007);
  const [count, nodes, events] = [Number(values.count), Number(values.nodes), Number(values.events)];
  if (values.help || ![seed, count, nodes, events].every(Number.isSafeInteger) || nodes < 2) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const startMs = performance.now();
  const counts = new Map<string, number>();
  let failed = 0;
  for (let i = 0; i < count; i++) {
    const onTrace = values.trace ? { onTrace: (line: string) => console.log(line) } : {};
    const result = runKeyspaceSimulation({ seed: seed + i, nodes, events, ...onTrace });
    for (const [what, more] of result.counts) counts.set(what, (counts.get(what) ?? 0) + more);
    if (result.violation === undefined) continue;
    failed++;
    console.log(`seed ${result.seed}: ${result.violation}`);
    console.log(`  again: pnpm sim keyspace --seed ${result.seed} --nodes ${nodes} --events ${events} --trace`);
  }
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`${count - failed} ok, ${failed} failed, ${seconds} s`);
  console.log(`went through ${[...counts].map(([what, times]) => `${times} ${what}`).join(', ')}`);
  return failed === 0 ? 0 : 1;
}
