import { Judge } from '../judge.js';
import type { CaseReport, SyncProbe, TargetReport } from '../report.js';
import { keyBytes } from './numbered-keys.js';

const million = 1_000_000;
/** Where the machine alone keeps a loop away for longer, stalls say nothing of the store. */
const quietControlMs = 5;

/** What is asked of the store: ratios to its peers of the same round wherever there is one. */
export function judgeBitcask(
  cases: ReadonlyMap<string, CaseReport>,
  probe: SyncProbe,
  keys: number,
): readonly TargetReport[] {
  const judge = new Judge(cases);
  judgeWrites(judge, probe);
  judgeReads(judge);
  judgeMerge(judge);
  judgeStalls(judge);
  judgeMemory(judge, keys);
  return judge.targets;
}

function judgeWrites(judge: Judge, probe: SyncProbe): void {
  judge.ratio('put batches', 'put batches (classic-level)', { atLeast: 3 });
  judge.rate('put batches', { aimAtLeast: 900_000 });
  judge.ratio('put batches', 'put batches (lmdb)');
  judge.ratio('put batches', 'put batches (rocksdb)');
  judge.ratio('put batches of 1000', 'put batches of 1000 (classic-level)');
  judge.ratio('overwrite', 'overwrite (classic-level)');
  const durable = 'durable put x64';
  judge.ratioToBest(durable, [`${durable} (classic-level)`, `${durable} (lmdb)`, `${durable} (rocksdb)`], {
    atLeast: 3,
  });
  judge.rate(durable, { aimAtLeast: 160_000 });
  const rate = judge.case(durable)?.perSecond;
  judge.value(`${durable} : syncs of the disk`, rate && rate / probe.perSecond, 'x');
}

function judgeReads(judge: Judge): void {
  judge.ratio('get sync', 'get sync (classic-level)', { atLeast: 2 });
  judge.rate('get sync', { aimAtLeast: 350_000 });
  judge.ratio('get sync', 'get sync (lmdb)');
  judge.rate('get sync, value cache', { aimAtLeast: million });
  judge.ratio('get async x64', 'get async x64 (classic-level)');
  judge.ratio('scan merged', 'scan merged (classic-level)', { atLeast: 1.2 });
  judge.ratio('scan merged', 'scan merged (lmdb)', { aimAtLeast: 1 });
  judge.ratio('scan', 'scan (classic-level)', { atLeast: 0.5 });
  judge.ratio('scan merged pages', 'scan merged pages (classic-level)');
}

function judgeMerge(judge: Judge): void {
  const merge = judge.case('merge')?.perSecond;
  judge.value('merge, bytes read', merge && merge / 1e6, 'MB/s', { atLeast: 100 });
  const { idleP99Ms, mergingP99Ms } = judge.case('gets while merging')?.details ?? {};
  const ratio = idleP99Ms !== undefined && mergingP99Ms !== undefined ? mergingP99Ms / idleP99Ms : undefined;
  judge.value('gets while merging, p99 : p99 idle', ratio, 'x', { atMost: 3, aimAtMost: 1.5 });
}

function judgeStalls(judge: Judge): void {
  const controlMs = judge.case('stall control')?.details?.['longestStallMs'];
  judge.value('longest stall without a store', controlMs, 'ms');
  const bounds = controlMs !== undefined && controlMs > quietControlMs ? {} : { atMost: 10, aimAtMost: 5 };
  for (const name of ['put batches', 'overwrite', 'merge', 'gets while merging'])
    judge.value(`longest stall, ${name}`, judge.case(name)?.details?.['longestStallMs'], 'ms', bounds);
}

function judgeMemory(judge: Judge, keys: number): void {
  const perKey = judge.case('put batches')?.details?.['keydirBytesPerKey'];
  const bounds = keys >= million ? { atMost: 45 + keyBytes, aimAtMost: 35 + keyBytes } : {};
  judge.value('key directory', perKey, 'B/key', bounds);
  for (const [name, bounds] of [
    ['reopen', { atMost: 500 }],
    ['reopen from snapshot', { aimAtMost: 80 }],
  ] as const) {
    const openMs = judge.case(name)?.details?.['openMs'];
    // Starting costs the same for few keys: only a million or more are judged.
    judge.value(`${name}, per million keys`, openMs && (openMs * million) / keys, 'ms', keys >= million ? bounds : {});
  }
}
