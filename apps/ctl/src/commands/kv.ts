/** The family of kv commands: what they are called and take. What they do is in the files beside, loaded when run. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';
import { addConflictCommands } from './keyspace.js';
import { addTransferCommands } from './kv-transfer.js';

/** Adds `kv`. */
export function addKeyValueCommands(program: Command, host: Host): void {
  const kv = program.command('kv').description('keys and values: read, write, scan, import, export');
  help(kv, ["shanghaictl kv put greeting 'hello world'", 'shanghaictl kv get greeting']);
  addReads(kv, host);
  addWrites(kv, host);
  addTransferCommands(kv, host);
  addConflictCommands(kv, host);
}

function addReads(kv: Command, host: Host): void {
  const get = kv
    .command('get')
    .description('print the value of a key as it is, or a list of several keys')
    .argument('<keys...>', 'keys')
    .option(
      '--level <level>',
      'linearizable (default), or stale: what the node has, as keyspaces of mode multi-master need it',
    )
    .addHelpText(
      'after',
      '\nA single value is written byte for byte; a line end follows only on a terminal. A missing key is exit code 3.',
    );
  help(
    runWith(get, host, async (...run) => (await import('./kv-read.js')).getKeys(...run)),
    ['shanghaictl kv get greeting', 'shanghaictl kv get photo > photo.jpg', 'shanghaictl kv get a b c --output json'],
    ['3 no such key', ...remoteExits],
  );

  const range = kv
    .command('range')
    .description('list keys in order, with their values')
    .argument('[start]', 'first key (inclusive)')
    .argument('[end]', 'end (exclusive)')
    .option('--prefix <text>', 'only keys that begin so')
    .option('--limit <n>', 'at most so many (default: all)')
    .option('--reverse', 'from the last key to the first')
    .option('--keys-only', 'without values')
    .option('--count', 'only how many there are')
    .option('--wide', 'do not shorten keys and values in the table')
    .option('--level <level>', 'linearizable (default) or stale');
  help(
    runWith(range, host, async (...run) => (await import('./kv-read.js')).listRange(...run)),
    [
      'shanghaictl kv range --prefix user: --limit 20',
      'shanghaictl kv range a m --keys-only',
      'shanghaictl kv range --prefix user: --count',
    ],
    remoteExits,
  );

  addWatch(kv, host);

  const stats = kv.command('stats').description('how many keys there are and what they take');
  help(
    runWith(stats, host, async (...run) => (await import('./kv-read.js')).showStats(...run)),
    ['shanghaictl kv stats', 'shanghaictl kv stats --output json'],
    remoteExits,
  );
}

function addWatch(kv: Command, host: Host): void {
  const watch = kv
    .command('watch')
    .description('print changes as they are made, until Ctrl-C or --count')
    .argument('[key]', 'key (default: every key)')
    .option('--prefix <text>', 'keys that begin so')
    .option('--count <n>', 'end after so many changes')
    .addHelpText('after', '\nA key that expires is no change; a put with a ttl says when that will be.');
  help(
    runWith(watch, host, async (...run) => (await import('./kv-watch.js')).watchKeys(...run)),
    ['shanghaictl kv watch greeting', 'shanghaictl kv watch --prefix user: --output json'],
    ['130 Ctrl-C', ...remoteExits],
  );
}

function addWrites(kv: Command, host: Host): void {
  const put = kv
    .command('put')
    .description('set the value of a key')
    .argument('<key>', 'key')
    .argument('[value]', "value; '-' reads standard input")
    .option('--file <path>', 'read the value from a file')
    .option('--ttl-ms <ms>', 'the key expires after so long')
    .option('--if-revision <n>', 'only if the key still has this revision')
    .option('--if-absent', 'only if there is no such key');
  help(
    runWith(put, host, async (...run) => (await import('./kv-write.js')).putKey(...run)),
    [
      "shanghaictl kv put greeting 'hello world'",
      'shanghaictl kv put photo --file photo.jpg',
      'date | shanghaictl kv put now - --ttl-ms 60000',
      'shanghaictl kv put --encoding hex 00ff cafe',
      'shanghaictl kv put leader me --if-absent --ttl-ms 10000',
    ],
    ['9 the condition does not hold', ...remoteExits],
  );

  const append = kv
    .command('append')
    .description('add bytes to the end of a value; a missing key is an empty value')
    .argument('<key>', 'key')
    .argument('[value]', "what to add; '-' reads standard input")
    .option('--file <path>', 'read it from a file');
  help(
    runWith(append, host, async (...run) => (await import('./kv-write.js')).appendKey(...run)),
    ["shanghaictl kv append greeting '!'", 'shanghaictl kv append journal --file today.txt'],
    remoteExits,
  );

  const remove = kv
    .command('delete')
    .description('delete keys; a key that is not there is no error')
    .argument('[keys...]', 'keys')
    .option('--prefix <text>', 'delete every key that begins so (asks first)');
  help(
    runWith(remove, host, async (...run) => (await import('./kv-write.js')).deleteKeys(...run)),
    ['shanghaictl kv delete greeting', 'shanghaictl kv delete --prefix test: --yes'],
    remoteExits,
  );

  const batch = kv
    .command('batch')
    .description('several writes in one request')
    .argument('[file]', "operations as a JSON array or JSON lines; '-' is standard input", '-')
    .option('--atomic', 'all or none; the keys must lie in one group (keys that share a {tag} do)')
    .addHelpText('after', `\n${batchHelp}`);
  help(
    runWith(batch, host, async (...run) => (await import('./kv-batch.js')).runBatch(...run)),
    [
      'shanghaictl kv batch operations.json --atomic',
      `echo '{"type":"put","key":"a","value":"1"}' | shanghaictl kv batch`,
    ],
    ['5 an operation was refused', ...remoteExits],
  );
}

const batchHelp = `An operation is an object:
  {"type":"put","key":"a","value":"1","ttlMs":60000}
  {"type":"append","key":"a","value":"2"}
  {"type":"delete","key":"b"}
Bytes that are not text: "keyEncoding" and "valueEncoding" with "base64" or "hex".`;
