/** The family of log commands: what they are called and take. What they do is in the files beside, loaded when run. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';
import { addLogUpkeep } from './log-upkeep.js';

/** Adds `log`. */
export function addLogCommands(program: Command, host: Host): void {
  const log = program.command('log').description('named, durable, append-only logs');
  help(log, ['shanghaictl log create events', 'shanghaictl log append events hello', 'shanghaictl log tail events']);
  addCatalogue(log, host);
  addAppend(log, host);
  addReads(log, host);
  addLogUpkeep(log, host);
}

function addCatalogue(log: Command, host: Host): void {
  const create = log
    .command('create')
    .description('make a log; the same again is no error')
    .argument('<name>', '1 to 255 of A-Z a-z 0-9 . _ -')
    .option('--mode <mode>', 'quorum or multi-master (default quorum)')
    .option('--acknowledgement <level>', 'when an append is answered: local, quorum or all (default by mode)')
    .option('--retention-ms <ms>', 'older entries may go (default 0: never)')
    .option('--retention-bytes <bytes>', 'beyond so many bytes the oldest go (default 0: never)')
    .option('--retention-entries <n>', 'beyond so many entries the oldest go (default 0: never)')
    .option('--cleanup-policy <policy>', 'delete or compact (default delete)')
    .option('--tombstone-retention-ms <ms>', 'compact: how long the deletion of a key stays readable (default 1 day)');
  help(
    runWith(create, host, async (...run) => (await import('./log-catalogue.js')).createLog(...run)),
    ['shanghaictl log create events', 'shanghaictl log create audit --retention-ms 604800000'],
    ['4 there is one with other settings', ...remoteExits],
  );

  const list = log.command('list').description('list the logs').option('--prefix <text>', 'only names that begin so');
  help(
    runWith(list, host, async (...run) => (await import('./log-catalogue.js')).listLogs(...run)),
    ['shanghaictl log list', 'shanghaictl log list --prefix audit. --output json'],
    remoteExits,
  );

  const describe = log.command('describe').description('show a log').argument('<name>', 'log');
  help(
    runWith(describe, host, async (...run) => (await import('./log-catalogue.js')).describeLog(...run)),
    ['shanghaictl log describe events'],
    ['3 no such log', ...remoteExits],
  );

  const remove = log
    .command('delete')
    .description('delete a log and its entries (asks first)')
    .argument('<name>', 'log');
  help(
    runWith(remove, host, async (...run) => (await import('./log-catalogue.js')).deleteLog(...run)),
    ['shanghaictl log delete events --yes'],
    ['3 no such log', ...remoteExits],
  );
}

function addAppend(log: Command, host: Host): void {
  const append = log
    .command('append')
    .description('append records: the arguments, the lines of standard input, or files')
    .argument('<name>', 'log')
    .argument('[values...]', "a record each; '-' alone: a record for every line of standard input")
    .option('--files <directory>', 'a record for every file below it, in order of names; the key is the path')
    .option('--key <key>', 'key of the records')
    .option('--header <name=value>', 'a header of the records; repeat for several', collect)
    .option('--acknowledgement <level>', "local, quorum or all (default: the log's)")
    .option('--expect-last <sequence>', 'fail with exit code 9 unless this is the last sequence number')
    .option('--here', 'mode multi-master: by the endpoint that answers, whoever leads')
    .option('--batch <n>', 'records in one request, kept or lost together (default 100)');
  help(
    runWith(append, host, async (...run) => (await import('./log-append.js')).appendRecords(...run)),
    [
      "shanghaictl log append events 'user 7 signed in'",
      'journalctl -o json | shanghaictl log append journal -',
      'shanghaictl log append mails --files ./mails',
    ],
    ['3 no such log', '9 --expect-last does not hold', ...remoteExits],
  );
}

function addReads(log: Command, host: Host): void {
  const read = log
    .command('read')
    .description('print entries that are there now')
    .argument('<name>', 'log')
    .option('--from <sequence>', 'first entry wanted (default: the first kept)')
    .option('--from-time <time>', 'first entry of this time or later: ISO 8601 or milliseconds since 1970')
    .option('--last <n>', 'begin so many entries before the end')
    .option('--limit <n>', 'at most so many (default: all that are there)')
    .option('--origin <node>', 'mode multi-master: what this node appended (default: the one that answers)')
    .option('--all-origins', 'mode multi-master: what all nodes appended')
    .option('--order <order>', 'mode multi-master: arrival, or time: the same on every node (default arrival)')
    .option('--here', 'mode multi-master: from what the endpoint that answers has')
    .option('--wide', 'do not shorten keys and values in the table')
    .option('--values', 'only the values, byte for byte, each followed by a line end');
  help(
    runWith(read, host, async (...run) => (await import('./log-read.js')).readLog(...run)),
    [
      'shanghaictl log read events --limit 10',
      'shanghaictl log read events --from-time 2026-01-31T12:00:00Z',
      'shanghaictl log read events --all-origins --order time',
    ],
    ['3 no such log', '10 entries already trimmed', ...remoteExits],
  );

  const tail = log
    .command('tail')
    .description('print entries and then what is appended, until Ctrl-C or --count')
    .argument('<name>', 'log')
    .option('--from <sequence>', 'first entry wanted (default: the first kept)')
    .option('--from-time <time>', 'first entry of this time or later: ISO 8601 or milliseconds since 1970')
    .option('--last <n>', 'begin so many entries before the end')
    .option('--from-end', 'only what is appended from now on')
    .option('--origin <node>', 'mode multi-master: what this node appended (default: the one that answers)')
    .option('--all-origins', 'mode multi-master: what all nodes appended')
    .option('--order <order>', 'mode multi-master: arrival, or time: the same on every node (default arrival)')
    .option('--here', 'mode multi-master: from what the endpoint that answers has')
    .option('--count <n>', 'end after so many entries')
    .option('--wide', 'do not shorten keys and values in the table')
    .option('--values', 'only the values, byte for byte, each followed by a line end');
  help(
    runWith(tail, host, async (...run) => (await import('./log-read.js')).tailLog(...run)),
    [
      'shanghaictl log tail events --from-end',
      'shanghaictl log tail events --count 10 --output json',
      'shanghaictl log tail events --all-origins --order time',
    ],
    ['3 no such log', '10 entries already trimmed', '130 Ctrl-C', ...remoteExits],
  );
}

function collect(value: string, earlier: readonly string[] | undefined): readonly string[] {
  return [...(earlier ?? []), value];
}
