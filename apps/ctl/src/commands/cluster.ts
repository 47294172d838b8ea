/** nodes, metrics, shutdown, version. */
import type { Command } from 'commander';
import { type CommandContext, type Host, runWith } from '../command-host.js';
import { usageError } from '../ctl-error.js';
import { integer, text } from '../flag-values.js';
import type { Field } from '../output/printer.js';
import { help, remoteExits } from './command-help.js';

/** Adds the commands about a node and its cluster. */
export function addClusterCommands(program: Command, host: Host): void {
  const nodes = program.command('nodes').description('list the nodes of the cluster');
  help(runWith(nodes, host, listNodes), ['shanghaictl nodes', 'shanghaictl nodes --output yaml'], remoteExits);

  const metrics = program
    .command('metrics')
    .description("show the node's metrics")
    .option('--filter <text>', 'only metrics whose name holds this text')
    .option('--buckets', 'also the buckets of histograms')
    .option('--raw', 'the Prometheus text as the node gives it');
  help(
    runWith(metrics, host, async (context, _values, flags) => {
      const { showMetrics } = await import('./metrics-view.js');
      await showMetrics(context, {
        filter: text(flags, 'filter') ?? '',
        buckets: flags['buckets'] === true,
        raw: flags['raw'] === true,
      });
    }),
    ['shanghaictl metrics --filter wal_sync', 'shanghaictl metrics --raw > metrics.txt'],
    remoteExits,
  );

  const shutdown = program
    .command('shutdown')
    .description('let the node finish its requests, flush, and stop (asks first)')
    .option('--drain-ms <ms>', 'how long requests in flight may take (default 10000)')
    .option('--leave', 'take the node out of the cluster for good; it ends by itself when it is out')
    .option('--force', 'with --leave: also where those who remain have no majority now');
  help(
    runWith(shutdown, host, async (context, _values, flags) => {
      if (flags['leave'] === true) return (await import('./node-change.js')).leaveHere(context, flags);
      if (flags['force'] === true) throw usageError('--force is for --leave');
      const drainMs = integer(flags, 'drainMs', 10_000, 1);
      await context.confirm(`The node at ${context.settings.endpoints.join(', ')} will stop.`);
      await (await context.connect()).shutdown(drainMs);
      await context.print.document({ shutdown: 'begun', drainMs }, [['Shutdown', 'begun']]);
    }),
    ['shanghaictl shutdown --yes', 'shanghaictl shutdown --drain-ms 30000', 'shanghaictl shutdown --leave'],
    ['9 with --leave: it would leave no majority, or another node is leaving', ...remoteExits],
  );

  const version = program
    .command('version')
    .description('print the version of this tool, and with --server of the node')
    .option('--server', 'ask the node for its version too');
  help(
    runWith(version, host, async (context, _values, flags) => {
      const server = flags['server'] === true ? (await (await context.connect()).status()).version : undefined;
      const fields: Field[] = [
        ['shanghaictl', host.version],
        ['node.js', process.versions.node],
      ];
      if (server !== undefined) fields.push(['server', server]);
      await context.print.document({ shanghaictl: host.version, node: process.versions.node, server }, fields);
    }),
    ['shanghaictl version', 'shanghaictl version --server --output json'],
  );
}

async function listNodes(context: CommandContext): Promise<void> {
  const nodes = await (await context.connect()).nodes();
  const list = context.print.list(
    [
      { title: 'ID', text: (node) => String(node.nodeId), align: 'right' },
      { title: 'NAME', text: (node) => node.name || '-' },
      { title: 'STATE', text: (node) => node.state },
      { title: 'GRPC', text: (node) => node.grpcAddress || '-' },
      { title: 'HTTP', text: (node) => node.httpAddress || '-' },
      { title: 'PEER', text: (node) => node.peerAddress || '-' },
      { title: 'VERSION', text: (node) => node.version || '-' },
      { title: 'INSTANCE', text: (node) => node.instanceId },
    ],
    (node: (typeof nodes)[number]) => node,
  );
  for (const node of nodes) await list.row(node);
  await list.end();
}
