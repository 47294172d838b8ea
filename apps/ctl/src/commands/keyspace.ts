/** The family of keyspace commands: what they are called and take. What they do is in the file beside, loaded when run. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

/** Adds `keyspace`. */
export function addKeyspaceCommands(program: Command, host: Host): void {
  const keyspace = program
    .command('keyspace')
    .description('sets of keys: one order for all writes, or a writer at every node');
  help(keyspace, ['shanghaictl keyspace create carts --mode multi-master', 'shanghaictl keyspace list']);

  const create = keyspace
    .command('create')
    .description('make a keyspace; the same again is no error')
    .argument('<name>', 'keyspace')
    .option('--mode <mode>', 'quorum (default), or multi-master: every node takes writes, the last writer wins');
  help(
    runWith(create, host, async (...run) => (await import('./keyspace-run.js')).createKeyspace(...run)),
    ['shanghaictl keyspace create carts --mode multi-master'],
    ['9 there is one of the other mode', ...remoteExits],
  );

  const remove = keyspace
    .command('delete')
    .description('delete a keyspace of mode multi-master with all that is in it (asks first)')
    .argument('<name>', 'keyspace');
  help(
    runWith(remove, host, async (...run) => (await import('./keyspace-run.js')).deleteKeyspace(...run)),
    ['shanghaictl keyspace delete carts --yes'],
    ['3 no such keyspace', ...remoteExits],
  );

  const list = keyspace.command('list').description('list the keyspaces, with what was lost and what is held');
  help(
    runWith(list, host, async (...run) => (await import('./keyspace-run.js')).listKeyspaces(...run)),
    ['shanghaictl keyspace list', 'shanghaictl keyspace list --output json'],
    remoteExits,
  );
}

/** Adds what `kv` has for keyspaces of mode multi-master. */
export function addConflictCommands(kv: Command, host: Host): void {
  const conflicts = kv
    .command('conflicts')
    .description('list writes that lost to one that had not seen them, the latest first (mode multi-master)')
    .option('--limit <n>', 'at most so many, up to 1000 (default 100)');
  help(
    runWith(conflicts, host, async (...run) => (await import('./keyspace-run.js')).listConflicts(...run)),
    ['shanghaictl kv conflicts --keyspace carts', 'shanghaictl kv conflicts --keyspace carts --limit 5 --output json'],
    ['3 no such keyspace', ...remoteExits],
  );

  const held = kv
    .command('held')
    .description("list entries that are too far ahead of the node's clock (mode multi-master)")
    .option('--limit <n>', 'at most so many, up to 1000 (default 100)');
  help(
    runWith(held, host, async (...run) => (await import('./keyspace-run.js')).listHeld(...run)),
    ['shanghaictl kv held --keyspace carts'],
    ['3 no such keyspace', ...remoteExits],
  );

  const verdict = kv
    .command('verdict')
    .description('say of held entries whether they count; holds at every node (asks first)')
    .argument('<decision>', 'accept or drop')
    .requiredOption('--origin <node>', 'the node that wrote them')
    .requiredOption('--epoch <n>', 'its epoch')
    .requiredOption('--from <sequence>', 'the first of them')
    .option('--to <sequence>', 'the last of them (default: the first alone)');
  help(
    runWith(verdict, host, async (...run) => (await import('./keyspace-run.js')).giveVerdict(...run)),
    ['shanghaictl kv verdict drop --keyspace carts --origin 3 --epoch 1 --from 17 --to 29'],
    ['3 the node holds none of them', ...remoteExits],
  );
}
