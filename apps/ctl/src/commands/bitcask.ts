/** Offline work on the directory of a key-value store. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help } from './command-help.js';

const offlineExits = [
  '3 there is no store in the directory',
  '6 written by a newer version',
  '17 a server has the directory open',
  '19 data corrupted',
];
const exampleDirectory = './shanghai-data/groups/1';

/** Adds `bitcask`. */
export function addBitcaskCommands(program: Command, host: Host): void {
  const bitcask = program
    .command('bitcask')
    .description('inspect and tidy a key-value store; the server that owns it must be stopped');
  help(bitcask, [`shanghaictl bitcask stats ${exampleDirectory}`]);

  const add = (
    name: string,
    description: string,
    run: 'verifyStore' | 'showStoreStats' | 'mergeStore' | 'rebuildStoreHints',
  ) => {
    const command = bitcask.command(name).description(description).argument('<directory>', 'directory of the store');
    help(
      runWith(command, host, async (...given) => (await import('./bitcask-offline.js'))[run](...given)),
      [
        `shanghaictl bitcask ${name} ${exampleDirectory}`,
        `shanghaictl bitcask ${name} ${exampleDirectory} --output json`,
      ],
      offlineExits,
    );
  };
  add('verify', 'read every record and every hint file and check them; changes nothing', 'verifyStore');
  add('stats', 'how many keys there are, how many bytes are dead', 'showStoreStats');
  add('merge', 'drop dead records now, from every segment', 'mergeStore');
  addSnapshot(bitcask, host);
  add('rebuild-hints', 'write the hint files of sealed segments anew', 'rebuildStoreHints');
}

function addSnapshot(bitcask: Command, host: Host): void {
  const command = bitcask
    .command('snapshot')
    .description('a second, independent store as it is now: hard links where the file system gives them')
    .argument('<directory>', 'directory of the store')
    .argument('<target>', 'directory for the snapshot, absent or empty');
  help(
    runWith(command, host, async (...given) => (await import('./bitcask-offline.js')).snapshotStore(...given)),
    [`shanghaictl bitcask snapshot ${exampleDirectory} ./snapshots/today`],
    [...offlineExits, '5 the target is not empty'],
  );
}
