/**
 * The key-value store beside its peers. Every engine runs in a process of its own (RocksDB in its own program); a case
 * asks one of them and the others rest, so heaps, collections and page faults do not mix, and the peers of a case are
 * measured right after each other. Every round begins with new stores.
 */
import type { BenchScope } from '../bench-scope.js';
import type { Measurement } from '../report.js';
import type { BenchCase, Suite } from '../suite.js';
import { judgeBitcask } from './bitcask-targets.js';
import type { EngineName, PeerName } from './engines/engine-name.js';
import { keyBytes } from './numbered-keys.js';
import { valueBytes } from './numbered-values.js';
import { type ReopenFrom, reopen } from './reopen.js';
import type { RocksdbStore } from './rocksdb/rocksdb-store.js';
import { hasDbBench } from './rocksdb/rocksdb-store.js';
import { Rounds } from './rounds.js';
import type { StoreTask } from './tasks/store-tasks.js';

/** Sizes of a run, and whom it is measured beside. */
export interface BitcaskSuiteOptions {
  readonly seconds: number;
  readonly keys: number;
  readonly peers: readonly PeerName[];
}

/** What a row of the report asks of whom. */
interface Row {
  readonly name: string;
  readonly what: string;
  readonly unit: string;
  readonly task: StoreTask;
  /** Default: none but the store itself. */
  readonly peers?: readonly Exclude<PeerName, 'rocksdb'>[];
  readonly rocksdb?: (store: RocksdbStore, seconds: number) => Promise<Measurement>;
}

const both = ['classic-level', 'lmdb'] as const;

const rows: readonly Row[] = [
  {
    name: 'put batches',
    what: '100 puts a batch, 16 batches in flight, keys in random order, never synced',
    unit: 'puts',
    task: 'load',
    peers: both,
    rocksdb: (store) => store.loading(),
  },
  {
    name: 'put batches of 1000',
    what: 'the same with 1,000 puts a batch',
    unit: 'puts',
    task: 'load 1000',
    peers: both,
    rocksdb: (store) => store.loadAnother('none', 1_000),
  },
  {
    name: 'get sync',
    what: 'random keys, values in the page cache, no value cache, blocking',
    unit: 'gets',
    task: 'get sync',
    peers: both,
    rocksdb: (store, seconds) => store.reads(seconds),
  },
  {
    name: 'get sync, value cache',
    what: 'random keys of at most 100,000 whose values the store keeps in memory',
    unit: 'gets',
    task: 'get sync cached',
  },
  {
    name: 'get async x64',
    what: '64 callers, random keys, values in the page cache, no value cache',
    unit: 'gets',
    task: 'get async',
    peers: ['classic-level'],
  },
  {
    name: 'scan',
    what: 'keys and values in order, row by row, of what was loaded at random; at most 200,000',
    unit: 'rows',
    task: 'scan',
    peers: both,
  },
  { name: 'scan pages', what: 'the same, pages of rows', unit: 'rows', task: 'scan pages', peers: ['classic-level'] },
  { name: 'scan keys', what: 'keys only, at most 200,000', unit: 'rows', task: 'scan keys' },
  {
    name: 'durable put x64',
    what: '64 callers, one put each, synced before the answer',
    unit: 'puts',
    task: 'durable put',
    peers: both,
    rocksdb: (store, seconds) => store.durablePuts(seconds),
  },
  {
    name: 'overwrite',
    what: 'random keys put again in batches of 100, twice as many puts as keys, background merges or compactions on',
    unit: 'puts',
    task: 'overwrite',
    peers: both,
  },
  {
    name: 'merge',
    what: 'all segments, every second key overwritten before, no rate limit; bytes of the merged segments',
    unit: 'bytes',
    task: 'merge',
  },
  {
    name: 'scan merged',
    what: 'keys and values in order, row by row, after a full merge (peers: after a full compaction); at most 1,000,000',
    unit: 'rows',
    task: 'scan merged',
    peers: both,
    rocksdb: (store) => store.scan(),
  },
  {
    name: 'scan merged pages',
    what: 'the same, pages of rows',
    unit: 'rows',
    task: 'scan merged pages',
    peers: ['classic-level'],
  },
  {
    name: 'gets while merging',
    what: '5,000 gets a second at a fixed rate, beside a merge that reads and writes 50 MiB/s',
    unit: 'gets',
    task: 'gets while merging',
  },
  {
    name: 'stall control',
    what: 'a loop that is never away for more than 0.5 ms: what the machine adds to every stall',
    unit: 'runs',
    task: 'stall control',
  },
];

/** The cases of `bench bitcask`. */
export async function bitcaskSuite(scope: BenchScope, options: BitcaskSuiteOptions): Promise<Suite> {
  const { keys, peers } = options;
  const rounds = new Rounds(scope, keys);
  const missing = (await hasDbBench())
    ? undefined
    : "db_bench is not installed (Debian: 'apt-get install rocksdb-tools')";
  const cases = rows.flatMap((row) => casesOf(row, options, rounds, missing));
  const reopenCase = (name: string, engine: EngineName, from: ReopenFrom): BenchCase => ({
    name: peerCase(name, engine),
    what: `close, then open ${keys} keys in a fresh process${from === 'snapshot' ? ', from a snapshot of the key directory' : ''}`,
    unit: 'keys',
    measure: async (round) => reopen(scope, await rounds.process(round, engine), from),
  });
  // The snapshot first: an opening that does without may take it away.
  const reopenCases = [
    reopenCase('reopen from snapshot', 'shanghai', 'snapshot'),
    reopenCase('reopen', 'shanghai', 'hints'),
    ...both.filter((peer) => peers.includes(peer)).map((peer) => reopenCase('reopen', peer, 'hints')),
  ];
  return {
    name: 'bitcask',
    syncMode: 'never, where the case does not say otherwise',
    notes: [
      `${keys} keys of ${keyBytes} B, values of ${valueBytes} B that do not compress; every engine in a process of its own with its callers, with its defaults.`,
      'Values come from the page cache of the operating system: nothing here measures a cold disk.',
      'classic-level and lmdb are JavaScript calls into C and C++; RocksDB is its own db_bench, C++ only, here a build of the distribution (Debian: assertions on).',
      'writeAmplification: write_bytes of /proc/self/io from the first put until the process rests (RocksDB: its own counters), over bytes of keys and values; a page that is written twice before it goes out counts once, which flatters lmdb, whose writes are those of a memory map. spaceAmplification: files then, over bytes of live keys and values.',
    ],
    cases: [...cases, ...reopenCases],
    judge: (reports, probe) => judgeBitcask(reports, probe, keys),
    close: () => rounds.close(),
  };
}

function casesOf(
  row: Row,
  { seconds, peers }: BitcaskSuiteOptions,
  rounds: Rounds,
  missing: string | undefined,
): BenchCase[] {
  const { name, what, unit, task, rocksdb } = row;
  const engines: EngineName[] = ['shanghai', ...(row.peers ?? []).filter((peer) => peers.includes(peer))];
  const cases: BenchCase[] = engines.map((engine) => ({
    name: peerCase(name, engine),
    what,
    unit,
    measure: async (round) => (await rounds.process(round, engine)).run(task, seconds),
  }));
  if (rocksdb !== undefined && peers.includes('rocksdb')) {
    cases.push({
      name: peerCase(name, 'rocksdb'),
      what,
      unit,
      ...(missing === undefined ? {} : { skipped: missing }),
      measure: async (round) => rocksdb(await rounds.rocksdb(round), seconds),
    });
  }
  if (task === 'load' && peers.includes('rocksdb')) {
    cases.push({
      name: peerCase(name, 'rocksdb snappy'),
      what: `${what}; its default codec`,
      unit,
      ...(missing === undefined ? {} : { skipped: missing }),
      measure: async (round) => (await rounds.rocksdb(round)).loadAnother('snappy', 100),
    });
  }
  return cases;
}

/** The name of a case that a peer does: `scan (lmdb)`; the store's own has none added. */
function peerCase(name: string, engine: string): string {
  return engine === 'shanghai' ? name : `${name} (${engine})`;
}
