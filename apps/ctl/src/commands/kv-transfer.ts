/** kv import and kv export: names and options. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

/** Adds `kv import` and `kv export`. */
export function addTransferCommands(kv: Command, host: Host): void {
  const load = kv
    .command('import')
    .description('write the records of a file: a JSON array, JSON lines, CSV, or what kv export wrote')
    .argument('<file>', "file; '-' is standard input")
    .option('--format <form>', 'json, jsonl or csv (default: by the name or the first byte)')
    .option('--key-field <name>', 'the field that is the key')
    .option('--key-template <text>', "key made of fields: '{country}:{name}'; {#} is the number of the record")
    .option('--value-field <name>', 'the field that is the value (default: the whole record as JSON)')
    .option('--batch <n>', 'records in one request (default 100)')
    .option('--concurrency <n>', 'requests in flight (default 8)')
    .option('--skip <n>', 'pass over the first n records: goes on where an import stopped')
    .option('--keep-going', 'go on behind records that are refused; count them')
    .option('--acknowledged-file <path>', 'append a line for every acknowledged record: {"record":0,"key":"…"}')
    .option('--verify', 'afterwards read everything back and compare')
    .option('--verify-only', 'write nothing, only compare; with --acknowledged-file only what is listed there')
    .addHelpText('after', `\n${importHelp}`);
  help(
    runWith(load, host, async (...run) => (await import('./kv-import.js')).importFile(...run)),
    [
      "shanghaictl kv import cities.json --key-template '{country}:{name}:{#}'",
      'shanghaictl kv import users.csv --key-field id --verify',
      'shanghaictl kv import users.csv --key-field id --skip 12000',
      'shanghaictl kv export backup.jsonl && shanghaictl --endpoint other:9090 kv import backup.jsonl',
    ],
    ['5 a record was refused', '19 verification found a difference', '130 interrupted', ...remoteExits],
  );

  const dump = kv
    .command('export')
    .description('write keys and values as JSON lines, which kv import reads')
    .argument('[file]', "file, replaced as a whole when complete; '-' is standard output", '-')
    .option('--prefix <text>', 'only keys that begin so')
    .option('--start <key>', 'first key (inclusive)')
    .option('--end <key>', 'end (exclusive)')
    .option('--force', 'replace a file that exists');
  help(
    runWith(dump, host, async (...run) => (await import('./kv-export.js')).exportFile(...run)),
    ['shanghaictl kv export backup.jsonl', 'shanghaictl kv export --prefix user: | gzip > users.jsonl.gz'],
    ['130 interrupted', ...remoteExits],
  );
}

const importHelp = `Without --key-field and --key-template records are {"key":…,"value":…} as kv export writes them.
Records are counted from 0. Of two records with one key the later one wins. When an import ends early it says how far
everything is acknowledged and which --skip goes on from there; repeating acknowledged records does no harm.`;
