/** Offline work on the directory of a write-ahead log. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help } from './command-help.js';

const offlineExits = [
  '3 there is no log in the directory',
  '6 written by a newer version',
  '17 a server has the directory open',
  '19 data corrupted',
];

/** Adds `wal`. */
export function addWalCommands(program: Command, host: Host): void {
  const wal = program
    .command('wal')
    .description('inspect and repair a write-ahead log; the server that owns it must be stopped');
  help(wal, ['shanghaictl wal verify ./shanghai-data/wal']);

  const verify = wal
    .command('verify')
    .description('read every record and check it; changes nothing')
    .argument('<directory>', 'directory of the log');
  help(
    runWith(verify, host, async (...run) => (await import('./wal-offline.js')).verifyLog(...run)),
    ['shanghaictl wal verify ./shanghai-data/wal', 'shanghaictl wal verify ./shanghai-data/wal --output json'],
    offlineExits,
  );

  const dump = wal
    .command('dump')
    .description('print records')
    .argument('<directory>', 'directory of the log')
    .option('--from <lsn>', 'first record (default: the first kept)')
    .option('--to <lsn>', 'end, exclusive (default: the end)')
    .option('--stream <id>', 'only records of this stream')
    .option('--limit <n>', 'at most so many (default: all)')
    .option('--no-payload', 'without payloads')
    .option('--wide', 'do not shorten payloads in the table');
  help(
    runWith(dump, host, async (...run) => (await import('./wal-offline.js')).dumpLog(...run)),
    [
      'shanghaictl wal dump ./shanghai-data/wal --limit 20',
      'shanghaictl wal dump ./shanghai-data/wal --from 1000 --to 1010 --encoding hex --output json',
    ],
    offlineExits,
  );

  const repair = wal
    .command('repair')
    .description('give up what is damaged; a copy is kept (asks first)')
    .argument('<directory>', 'directory of the log')
    .option('--truncate-tail', 'cut the last segment behind its last good frame')
    .option('--salvage <directory>', 'copy every readable record into a new log there; changes nothing here')
    .addHelpText(
      'after',
      '\nA repaired server directory counts as another instance: acknowledged records may be gone. Keep the copy until you know what was lost.',
    );
  help(
    runWith(repair, host, async (...run) => (await import('./wal-offline.js')).repairLog(...run)),
    [
      'shanghaictl wal repair ./shanghai-data/wal --truncate-tail --yes',
      'shanghaictl wal repair ./shanghai-data/wal --salvage ./salvaged',
    ],
    offlineExits,
  );
}
