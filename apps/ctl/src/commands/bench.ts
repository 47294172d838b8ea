import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

/** Adds `bench`. */
export function addBenchCommand(program: Command, host: Host): void {
  const bench = program
    .command('bench')
    .description('measure puts and gets against a node: throughput, latency percentiles, errors')
    .option('--operations <n>', 'how many requests to measure (default 100000, or no end with --duration-ms)')
    .option('--duration-ms <ms>', 'end after so long')
    .option('--concurrency <n>', 'requests in flight (default 64)')
    .option('--get-share <share>', 'share of gets, from 0 to 1 (default 0.5)')
    .option('--keys <n>', 'different keys (default 10000)')
    .option('--value-bytes <bytes>', 'size of a value (default 128)')
    .option('--prefix <text>', "what the keys begin with (default 'bench:')")
    .option('--seed <n>', 'seed of keys and values (default 1)')
    .option('--keep', 'leave the keys in the store')
    .addHelpText(
      'after',
      '\nThis tool shares one processor core between all its requests: it shows what one client gets, not what a node can do.',
    );
  help(
    runWith(bench, host, async (...run) => (await import('../bench/bench-command.js')).runBench(...run)),
    [
      'shanghaictl bench --operations 50000 --concurrency 64',
      'shanghaictl bench --duration-ms 10000 --get-share 0 --value-bytes 1024 --output json',
    ],
    ['1 every request failed', ...remoteExits],
  );
}
