/** The commands about a log's consumers, producers and trims: what they are called and take. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

/** Adds them to `log`. */
export function addLogUpkeep(log: Command, host: Host): void {
  addConsumers(log, host);
  addChanges(log, host);
}

function addConsumers(log: Command, host: Host): void {
  const consumers = log
    .command('consumers')
    .description('list who reads a log, how far they have come and how far behind they are')
    .argument('<name>', 'log')
    .option('--prefix <text>', 'only names that begin so');
  help(
    runWith(consumers, host, async (...run) => (await import('./log-consumers.js')).listConsumers(...run)),
    ['shanghaictl log consumers events', 'shanghaictl log consumers events --output json'],
    ['3 no such log', ...remoteExits],
  );

  const commit = log
    .command('commit')
    .description('store that a consumer has worked on everything up to an entry; never goes back')
    .argument('<name>', 'log')
    .argument('<consumer>', '1 to 255 of A-Z a-z 0-9 . _ -')
    .argument('<position>', 'the last entry it has worked on; mode multi-master: <origin>:<sequence>, with commas')
    .option('--generation <n>', 'fail with exit code 9 in another generation');
  help(
    runWith(commit, host, async (...run) => (await import('./log-consumers.js')).commitPosition(...run)),
    ['shanghaictl log commit events mailer 120', 'shanghaictl log commit visits counter 1:51,2:7'],
    ['3 no such log', '9 another generation', '10 beyond the end of the log', ...remoteExits],
  );

  const seek = log
    .command('seek')
    .description('put a consumer elsewhere; commits of readers that have not heard of it fail from then on')
    .argument('<name>', 'log')
    .argument('<consumer>', 'consumer')
    .requiredOption('--to <target>', 'start, end, @<time>, or the last entry that counts as worked on, as in commit')
    .option('--dry-run', 'say where that is and change nothing');
  help(
    runWith(seek, host, async (...run) => (await import('./log-consumers.js')).seekConsumer(...run)),
    [
      'shanghaictl log seek events mailer --to start --dry-run',
      'shanghaictl log seek events mailer --to @2026-01-31T12:00:00Z',
    ],
    ['3 no such log', '10 beyond the end of the log', ...remoteExits],
  );

  const forget = log
    .command('forget')
    .description('forget a consumer (asks first)')
    .argument('<name>', 'log')
    .argument('<consumer>', 'consumer');
  help(
    runWith(forget, host, async (...run) => (await import('./log-consumers.js')).forgetConsumer(...run)),
    ['shanghaictl log forget events mailer --yes'],
    ['3 no such log', ...remoteExits],
  );
}

function addChanges(log: Command, host: Host): void {
  const producer = log
    .command('producer')
    .description('show where a producer is to go on')
    .argument('<name>', 'log')
    .argument('<id>', 'number of the producer');
  help(
    runWith(producer, host, async (...run) => (await import('./log-consumers.js')).showProducer(...run)),
    ['shanghaictl log producer events 7'],
    ['3 no such log', ...remoteExits],
  );

  const trim = log
    .command('trim')
    .description('give up the entries before one, or before a time (asks first)')
    .argument('<name>', 'log')
    .argument('[first]', 'the first entry to keep; mode multi-master: <origin>:<sequence>, with commas')
    .option('--before <time>', 'give up what is older, of all origins: ISO 8601 or milliseconds since 1970')
    .option('--force', 'mode multi-master: also what a member may lack; it never gets it');
  help(
    runWith(trim, host, async (...run) => (await import('./log-trim.js')).trimLog(...run)),
    [
      'shanghaictl log trim events 1000 --yes',
      'shanghaictl log trim events --before 2026-01-31T12:00:00Z',
      'shanghaictl log trim visits 1:52,2.1:8',
    ],
    ['3 no such log', '9 a member may lack some of it', '10 beyond what this node has', ...remoteExits],
  );
}
