/** The core of consensus alone: three nodes in one thread, without disk or network. */
import { Judge } from '../judge.js';
import { LatencyRecorder } from '../latency-recorder.js';
import { withProcessorTime } from '../processor-time.js';
import type { Measurement } from '../report.js';
import type { BenchCase, Suite } from '../suite.js';
import { InProcessGroup } from './in-process-group.js';

const entryBytes = 128;
const entriesBetweenCompactions = 65_536;

/** The cases of `bench raft`. */
export function raftSuite(seconds: number): Suite {
  const measured = (batch: number, inFlight: number): BenchCase => ({
    name: `batch ${batch}, ${inFlight} in flight`,
    what: `proposals of ${batch} entries of ${entryBytes} B, ${inFlight} proposed before messages are carried; until all three applied them`,
    unit: 'entries',
    measure: () => withProcessorTime(async () => replicate(batch, inFlight, seconds)),
  });
  return {
    name: 'raft',
    syncMode: 'memory: nothing is written',
    notes: ['Three nodes share one thread: a real node does a third of this work, and all of its input and output.'],
    cases: [measured(1, 1), measured(1, 64), measured(64, 1), measured(64, 16)],
    judge: (cases) => {
      const judge = new Judge(cases);
      judge.rate('batch 1, 1 in flight');
      judge.rate('batch 1, 64 in flight', { atLeast: 100_000 });
      judge.rate('batch 64, 1 in flight');
      judge.rate('batch 64, 16 in flight', { atLeast: 500_000 });
      return judge.targets;
    },
    close: async () => undefined,
  };
}

function replicate(batch: number, inFlight: number, seconds: number): Measurement {
  const group = new InProcessGroup();
  const commands = Array.from({ length: batch }, () => new Uint8Array(entryBytes));
  const latencies = new LatencyRecorder();
  const before = group.applied;
  const startMs = performance.now();
  let nowMs = startMs;
  for (let sinceCompaction = 0; nowMs - startMs < seconds * 1_000; ) {
    const roundMs = nowMs;
    for (let i = 0; i < inFlight; i++) group.propose(commands);
    group.settle();
    nowMs = performance.now();
    latencies.record(nowMs - roundMs);
    sinceCompaction += batch * inFlight;
    if (sinceCompaction < entriesBetweenCompactions) continue;
    group.compact();
    sinceCompaction = 0;
  }
  const latency = latencies.summary();
  return {
    operations: group.applied - before,
    errors: 0,
    elapsedMs: nowMs - startMs,
    ...(latency === undefined ? {} : { latency }),
  };
}
