/** `shanghai recover`: what to do, and how it is said. */
import { Command, CommanderError } from 'commander';
import { ConfigError } from '../config/config-error.js';
import { type RecoveryReport, recoverNode } from './recover-node.js';

/** The flag without which nothing is done. */
export const consentFlag = '--i-understand-that-acknowledged-writes-may-be-lost';

const help = `
For a cluster of which a majority is lost for good. The node whose directory this is must not run. Without the long flag
it is said what is there and what would be done; run it for every directory that is left, and recover the one whose
groups have the highest last term, and of equal ones the highest last entry. Acknowledged writes that only the lost nodes
had are gone. The lost nodes must never run again with what they have.

Examples:
  $ shanghai recover --data-dir /var/lib/shanghai
  $ shanghai recover --data-dir /var/lib/shanghai ${consentFlag}
`;

/** Does what the arguments behind `shanghai recover` say; resolves to what to print. Throws `ConfigError`. */
export async function recover(args: readonly string[]): Promise<string> {
  const written: string[] = [];
  const command = new Command('shanghai recover')
    .description('Makes the node that is left of a cluster its only member, when a majority is lost for good.')
    .usage(`--data-dir <directory> [${consentFlag}]`)
    .requiredOption('--data-dir <directory>', 'what the node was started with')
    .option(consentFlag, 'do it')
    .option('--break-lock', 'take over a lock that another host left')
    .option('--json', 'print JSON')
    .helpOption('-h, --help', 'print this')
    .allowExcessArguments(false)
    .exitOverride()
    .configureOutput({ writeOut: (text) => void written.push(text), writeErr: () => {}, getOutHelpWidth: () => 110 })
    .addHelpText('after', help);
  try {
    command.parse([...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return written.join('');
    throw new ConfigError('INVALID_CONFIG', [error.message.replace(/^error: /, '')]);
  }
  const given = command.opts<Record<string, string | boolean | undefined>>();
  const report = await recoverNode({
    dataDirectory: String(given['dataDir']),
    isConsented: given['iUnderstandThatAcknowledgedWritesMayBeLost'] === true,
    breakLock: given['breakLock'] === true,
  });
  return given['json'] === true ? `${JSON.stringify(report, undefined, 2)}\n` : reportText(report);
}

/** The report for people. */
export function reportText(report: RecoveryReport): string {
  const { nodeId, clusterId, dataDirectory, groups, lostNodes, isDone } = report;
  const rows = groups.map(({ groupId, lastTerm, lastIndex, commitIndex, appliedIndex, configuration }) => {
    const { voters, votersOutgoing, learners } = configuration;
    const joint = votersOutgoing.length === 0 ? '' : ` and ${votersOutgoing.join(',')}`;
    const others = learners.length === 0 ? '' : `, learners ${learners.join(',')}`;
    const where = `last entry ${lastIndex} of term ${lastTerm}, known committed ${commitIndex}, applied ${appliedIndex}`;
    return `  group ${groupId}: ${where}; voters ${voters.join(',')}${joint}${others}`;
  });
  const lost = lostNodes.map((node) => `${node.nodeId} (${node.name}${node.peerAddress && ` at ${node.peerAddress}`})`);
  const head = `node ${nodeId} of cluster ${clusterId} in '${dataDirectory}'\n${rows.join('\n')}\n`;
  const whom = lost.length === 0 ? 'nobody' : lost.join(', ');
  if (isDone) {
    return (
      `${head}\nDone: node ${nodeId} is the only member of all groups; taken out for good: ${whom}.\n` +
      `Start it as before; then start new nodes in empty directories with --join <its gRPC address>.\n`
    );
  }
  return (
    `${head}\nNothing was changed. With ${consentFlag}\n` +
    `  node ${nodeId} becomes the only member of all groups, with what is listed above; entries behind what is known\n` +
    `  committed count, too, and acknowledged writes that it does not hold are lost;\n` +
    `  taken out for good, never to run again with what they have: ${whom}.\n` +
    `Compare with the other directories that are left: the highest last term, then the highest last entry, holds most.\n`
  );
}
