/** The family of node commands: who belongs to the cluster. What they do is in the files beside, loaded when run. */
import type { Command } from 'commander';
import { type Host, runWith } from '../command-host.js';
import { help, remoteExits } from './command-help.js';

const notNow = '9 refused: it would leave no majority, or another node is leaving';

/** Adds `node`. */
export function addNodeCommands(program: Command, host: Host): void {
  const node = program.command('node').description('grow, shrink and repair the cluster');
  help(node, ['shanghaictl node list', 'shanghaictl node leave 3 --wait']);
  addList(node, host);
  addEvents(node, host);
  addJoin(node, host);
  addLeave(node, host);
  addReplace(node, host);
  addReplication(node, host);
}

function addList(node: Command, host: Host): void {
  const list = node
    .command('list')
    .description('list the nodes: where each stands, and its part in every group')
    .option('--gossip', 'who is there and alive, as the connected node sees it by gossip');
  help(
    runWith(list, host, async (context, _values, flags) => {
      if (flags['gossip'] === true) await (await import('./node-gossip.js')).listSeen(context);
      else await (await import('./node-list.js')).listMembers(context);
    }),
    ['shanghaictl node list', 'shanghaictl node list --gossip', 'shanghaictl node list --output json'],
    remoteExits,
  );
}

function addEvents(node: Command, host: Host): void {
  const events = node
    .command('events')
    .description('what the connected node was told of others since it started: who came, was silent, went')
    .option('--after <number>', 'only those behind this number (default 0)')
    .option('--follow', 'go on with what happens, until interrupted');
  help(
    runWith(events, host, async (...run) => (await import('./node-gossip.js')).showEvents(...run)),
    ['shanghaictl node events', 'shanghaictl node events --follow --output json'],
    remoteExits,
  );
}

function addJoin(node: Command, host: Host): void {
  const join = node
    .command('join')
    .description('set a node id aside, and print how to start the new node; nothing else is needed')
    .option('--name <name>', 'its name, for people (default node-<id>)')
    .option(
      '--peer-address <host:port>',
      'where the other nodes will reach it (default: it says so when it is started)',
    )
    .option('--wait', 'wait until it is started and has caught up');
  help(
    runWith(join, host, async (...run) => (await import('./node-change.js')).joinNode(...run)),
    ['shanghaictl node join', 'shanghaictl node join --name spare --peer-address 10.0.0.4:9190 --wait'],
    [notNow, ...remoteExits],
  );
}

function addLeave(node: Command, host: Host): void {
  const leave = node
    .command('leave')
    .description('take a node out of the cluster for good (asks first)')
    .argument('<id>', 'its node id')
    .option('--force', 'also where those who remain have no majority now: it is done when they have')
    .option('--wait', 'wait until it is out');
  help(
    runWith(leave, host, async (...run) => (await import('./node-change.js')).leaveNode(...run)),
    ['shanghaictl node leave 3 --wait', 'shanghaictl node leave 3 --yes'],
    ['3 no such node', notNow, ...remoteExits],
  );
}

function addReplace(node: Command, host: Host): void {
  const replace = node
    .command('replace')
    .description('take a node out when another one has caught up and takes its place (asks first)')
    .argument('<id>', 'id of the node that goes, such as one that is dead')
    .option('--by <id>', 'the node that takes its place (default: whichever is to spare, or joins)')
    .option('--force', 'also while another node is leaving')
    .option('--wait', 'wait until it is out');
  help(
    runWith(replace, host, async (...run) => (await import('./node-change.js')).replaceNode(...run)),
    ['shanghaictl node replace 2 --wait', 'shanghaictl node replace 2 --by 4 --yes'],
    ['3 no such node', notNow, ...remoteExits],
  );
}

function addReplication(node: Command, host: Host): void {
  const replication = node
    .command('replication')
    .description('show how many voters a group has where there are nodes enough, or set it')
    .argument('[factor]', '1 to 15; odd numbers are the useful ones');
  help(
    runWith(replication, host, async (...run) => (await import('./node-change.js')).replication(...run)),
    ['shanghaictl node replication', 'shanghaictl node replication 5'],
    remoteExits,
  );
}
