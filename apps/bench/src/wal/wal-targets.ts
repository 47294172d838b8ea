import { Judge } from '../judge.js';
import type { CaseReport, SyncProbe, TargetReport } from '../report.js';

/** Where the disk itself takes longer at its 99th percentile, tails above it are the disk's. */
const quietDiskMs = 1;
/** How late a timer may be beside a slow disk; where the machine alone makes it later, the machine's own lateness. */
const lateMs = 5;

/** What is asked of the log. */
export function judgeWal(cases: ReadonlyMap<string, CaseReport>, probe: SyncProbe): readonly TargetReport[] {
  const judge = new Judge(cases);
  judge.rate('append x64', { atLeast: 150_000, aimAtLeast: 250_000 });
  judge.rate('append x256', { atLeast: 400_000, aimAtLeast: 600_000 });
  judge.rate('append x1024', { atLeast: 800_000, aimAtLeast: 1_200_000 });
  judge.rate('batch 100 x16', { atLeast: 1_500_000, aimAtLeast: 3_000_000 });
  judge.ratio('append x1', 'raw x1', { atLeast: 0.7, aimAtLeast: 0.9 });
  judge.ratio('append x128', 'append x1', { atLeast: 40 });
  judge.ratio('sync +1 ms x128', 'sync +1 ms x1', { atLeast: 60 });
  judge.ratio('sync +5 ms x128', 'sync +5 ms x1', { atLeast: 60 });
  judgeTails(judge, probe);
  for (const name of ['append x256', 'batch 100 x16']) {
    const rate = judge.case(name)?.perSecond;
    if (rate !== undefined) judge.value(`${name} : syncs of the disk`, rate / probe.perSecond, 'x');
  }
  const recovery = judge.case('recovery')?.details;
  judge.value('recovery in a fresh process', recovery?.['coldMs'], 'ms', { atMost: 15 });
  judge.value('recovery, code warm', recovery?.['warmMs'], 'ms', { atMost: 15, aimAtMost: 1 });
  return judge.targets;
}

function judgeTails(judge: Judge, probe: SyncProbe): void {
  const diskP99Ms = judge.case('raw x1')?.latency?.p99Ms ?? probe.p99Us / 1_000;
  const isQuiet = diskP99Ms < quietDiskMs;
  const tail = (name: string, bounds: { readonly atMost: number; readonly aimAtMost?: number }) =>
    judge.value(`${name}, p99`, judge.case(name)?.latency?.p99Ms, 'ms', isQuiet ? bounds : {});
  tail('append x128', { atMost: 2 });
  tail('append x256', { atMost: 1.5, aimAtMost: 0.8 });
  const alone = judge.case('timers alone')?.latency;
  judge.value('lateness of timers, no log at all, p99', alone?.p99Ms, 'ms');
  for (const name of ['timers, sync +5 ms', 'timers, sync +50 ms', 'timers, sync stalled 10 s']) {
    const late = judge.case(name)?.latency;
    const atMost = Math.max(lateMs, alone?.p99Ms ?? 0);
    judge.value(`lateness of ${name}, p99`, late?.p99Ms, 'ms', { atMost });
    judge.value(`lateness of ${name}, longest`, late?.maxMs, 'ms');
  }
}
