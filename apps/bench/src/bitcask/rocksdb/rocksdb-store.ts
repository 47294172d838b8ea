/**
 * RocksDB measured by its own program, `db_bench` (Debian: `rocksdb-tools`), as nobody binds it to Node well: C++ calls
 * on its side, JavaScript calls on ours. Same sizes, same number of keys, all different, in random order.
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { BenchScope } from '../../bench-scope.js';
import { directoryBytes } from '../../process-io.js';
import type { Measurement } from '../../report.js';
import { keyBytes } from '../numbered-keys.js';
import { valueBytes } from '../numbered-values.js';
import { durableCallers } from '../tasks/durable-puts.js';
import { type DbBenchOutput, parseDbBench } from './db-bench-output.js';

const maxOutputBytes = 64 * 1_048_576;

/** Whether `db_bench` can be started here. */
export async function hasDbBench(): Promise<boolean> {
  try {
    await promisify(execFile)('db_bench', ['--version']);
    return true;
  } catch {
    return false;
  }
}

/** Codecs it is loaded with. */
export type RocksdbCompression = 'none' | 'snappy';

/** One database for the reading cases; loaded when a case first needs it. */
export class RocksdbStore {
  readonly #scope: BenchScope;
  readonly #directory: string;
  readonly #keys: number;
  #loading: Measurement | undefined;

  constructor(scope: BenchScope, directory: string, keys: number) {
    this.#scope = scope;
    this.#directory = directory;
    this.#keys = keys;
  }

  /** How loading went: batches of 100, its log written and never synced, as the others. */
  async loading(): Promise<Measurement> {
    this.#loading ??= await this.#load(this.#directory, 'none', 100);
    return this.#loading;
  }

  /** Loads another database of this codec and batch, and takes it away again. */
  async loadAnother(compression: RocksdbCompression, batchPuts: number): Promise<Measurement> {
    const directory = `${this.#directory}-another`;
    const measured = await this.#load(directory, compression, batchPuts);
    await rm(directory, { recursive: true, force: true });
    return measured;
  }

  /** Random reads on one thread. It draws from all keys, each of which is there. */
  async reads(seconds: number): Promise<Measurement> {
    await this.loading();
    return this.#one(['--benchmarks=readrandom', '--use_existing_db=1', `--duration=${wholeSeconds(seconds)}`]);
  }

  /** Rows in order after a full compaction. */
  async scan(): Promise<Measurement> {
    await this.loading();
    return this.#one(['--benchmarks=compact,readseq', '--use_existing_db=1'], 'readseq');
  }

  /** Puts of 64 threads, each synced (`fdatasync`) before it is answered; threads share syncs (group commit). */
  async durablePuts(seconds: number): Promise<Measurement> {
    const directory = `${this.#directory}-durable`;
    const measured = await this.#one(
      [
        '--benchmarks=fillrandom',
        '--sync=1',
        '--use_fsync=false',
        `--threads=${durableCallers}`,
        `--duration=${wholeSeconds(seconds)}`,
        '--ops_between_duration_checks=10',
        '--histogram=1',
      ],
      'fillrandom',
      directory,
    );
    await rm(directory, { recursive: true, force: true });
    return measured;
  }

  async discard(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    this.#loading = undefined;
  }

  async #load(directory: string, compression: RocksdbCompression, batchPuts: number): Promise<Measurement> {
    const { results, writtenGigabytes } = await this.#run(directory, [
      '--benchmarks=filluniquerandom,waitforcompaction,stats',
      `--batch_size=${batchPuts}`,
      `--compression_type=${compression}`,
    ]);
    const [fill] = results;
    if (fill === undefined) throw new Error('db_bench filled nothing');
    const userBytes = this.#keys * (keyBytes + valueBytes);
    const storedBytes = await directoryBytes(directory);
    const details = {
      ...(writtenGigabytes === undefined ? {} : { writeAmplification: (writtenGigabytes * 2 ** 30) / userBytes }),
      spaceAmplification: storedBytes / userBytes,
      diskBytesPerKey: storedBytes / this.#keys,
    };
    return { operations: fill.operations, errors: 0, elapsedMs: fill.elapsedMs, details };
  }

  async #one(args: readonly string[], name?: string, directory = this.#directory): Promise<Measurement> {
    const { results } = await this.#run(directory, ['--compression_type=none', ...args]);
    const result = name === undefined ? results[0] : results.find((each) => each.name === name);
    if (result === undefined) throw new Error(`db_bench said nothing of ${name}`);
    const { operations, elapsedMs, latency } = result;
    return { operations, errors: 0, elapsedMs, ...(latency && { latency }) };
  }

  #run(directory: string, args: readonly string[]): Promise<DbBenchOutput> {
    const sizes = [`--key_size=${keyBytes}`, `--value_size=${valueBytes}`, `--num=${this.#keys}`];
    return new Promise((resolve, reject) => {
      const child = execFile(
        'db_bench',
        [`--db=${directory}`, ...sizes, ...args],
        { maxBuffer: maxOutputBytes },
        (error, stdout, stderr) => {
          if (error === null) resolve(parseDbBench(stdout));
          else reject(new Error(`db_bench ${args.join(' ')} failed: ${stderr.slice(-400)}`, { cause: error }));
        },
      );
      this.#scope.own(child);
    });
  }
}

/** It counts whole seconds. */
function wholeSeconds(seconds: number): number {
  return Math.max(1, Math.round(seconds));
}
