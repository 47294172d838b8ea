/** snapshot save, verify, list, restore, archive: names and options. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

const backupExits = ['3 there is no backup', '6 written by a newer version', '19 the backup is damaged'];

/** Adds `snapshot`. */
export function addSnapshotCommands(program: Command, host: Host): void {
  const snapshot = program
    .command('snapshot')
    .description('backups of the whole cluster: save, check, list, restore; and the log between them');
  help(snapshot, ['shanghaictl snapshot save ./backups/monday']);
  addSave(snapshot, host);
  addChecks(snapshot, host);
  addRestore(snapshot, host);
  addArchive(snapshot, host);
}

function addSave(snapshot: Command, host: Host): void {
  const save = snapshot
    .command('save')
    .description('save everything that the cluster holds, from any node, while it works')
    .argument('<directory>', 'directory of the backup; it is there when the backup is whole')
    .option('--keep <n>', 'then remove the oldest backups of this cluster beside it until n are left')
    .option(
      '--consistency <level>',
      'linearizable: everything acknowledged before is in it; stale: as the node has it, also without a leader (default linearizable)',
    );
  help(
    runWith(save, host, async (...run) => (await import('./snapshot-save.js')).saveSnapshot(...run)),
    [
      'shanghaictl snapshot save ./backups/monday',
      'shanghaictl --endpoint node-3:9090 snapshot save /backups/2026-11-21 --keep 7',
    ],
    [
      '4 the directory is taken',
      '12 the node is sending another backup',
      '13 disk full',
      '130 interrupted',
      ...remoteExits,
    ],
  );
}

function addChecks(snapshot: Command, host: Host): void {
  const verify = snapshot
    .command('verify')
    .description('read every byte of a backup, or of an archive, and compare it; needs no node')
    .argument('<directory>', 'directory of the backup or archive');
  help(
    runWith(verify, host, async (...run) => (await import('./snapshot-offline.js')).verifySnapshot(...run)),
    ['shanghaictl snapshot verify ./backups/monday', 'shanghaictl snapshot verify ./backups/monday --output json'],
    backupExits,
  );

  const list = snapshot
    .command('list')
    .description('list the backups in a directory, the oldest first, and what was never finished')
    .argument('<directory>', 'directory with backups in it');
  help(
    runWith(list, host, async (...run) => (await import('./snapshot-offline.js')).listSnapshots(...run)),
    ['shanghaictl snapshot list ./backups'],
    ['1 the directory cannot be read'],
  );
}

function addRestore(snapshot: Command, host: Host): void {
  const restore = snapshot
    .command('restore')
    .description('make the data directory of a node of a new cluster from a backup; needs no node')
    .argument('<directory>', 'directory of the backup')
    .requiredOption('--data-dir <path>', 'the new data directory; absent or empty')
    .option('--node-id <id>', 'which node this is (default 1)')
    .option(
      '--initial-cluster <nodes>',
      'all nodes of the new cluster: 1=host:port,2=host:port with their peer addresses (default: this one alone)',
    )
    .option('--cluster-token <text>', 'tells apart clusters that are restored from one backup (default shanghai)')
    .option('--archive <directory>', 'go on with the log in this archive')
    .option(
      '--until <point>',
      'up to this time (2026-01-31T12:00:00Z) or entry of the data group; default: all of the archive',
    )
    .option(
      '--checksum',
      'also checksums of what was restored, as replicas --checksum showed them; reads everything again',
    )
    .addHelpText('after', `\n${restoreHelp}`);
  help(
    runWith(restore, host, async (...run) => (await import('./snapshot-offline.js')).restoreSnapshot(...run)),
    [
      'shanghaictl snapshot restore ./backups/monday --data-dir ./restored',
      'shanghaictl snapshot restore ./backups/monday --data-dir ./node-2 --node-id 2 --initial-cluster 1=a:9190,2=b:9190,3=c:9190',
      'shanghaictl snapshot restore ./backups/monday --data-dir ./restored --archive ./archive --until 2026-11-21T11:59:00Z',
    ],
    [
      '4 the data directory is taken',
      '5 the backup is later than the point',
      '10 the archive does not reach it',
      ...backupExits,
    ],
  );
}

function addArchive(snapshot: Command, host: Host): void {
  const archive = snapshot
    .command('archive')
    .description('append what was committed since the last time to an archive of the log')
    .argument('<directory>', 'directory of the archive; made where there is none')
    .option('--after <backup>', 'begin behind this backup, also where entries in between were given up')
    .option('--follow', 'go on until Ctrl-C')
    .option('--interval-ms <ms>', 'how often to ask with --follow (default 1000)');
  help(
    runWith(archive, host, async (...run) => (await import('./snapshot-archive.js')).archiveGroups(...run)),
    [
      'shanghaictl snapshot archive ./archive --after ./backups/monday',
      'shanghaictl snapshot archive ./archive --follow',
    ],
    [
      '5 it is the archive of another cluster',
      '10 entries were given up: save a new backup',
      '19 the archive is damaged',
      ...remoteExits,
    ],
  );
}

const restoreHelp = `Run it once for each node of the new cluster, with the same backup, archive, point, members and token and a
data directory and --node-id of its own; then start them as usual with these directories. The new cluster has another
id: nodes and sessions of the old one are refused. Named logs go on with the sequence numbers of the backup.`;
