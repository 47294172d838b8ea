import { expect, test } from 'vitest';
import { parseClusterCommand } from './cluster-command.js';

function nodesOf(...args: string[]) {
  const intention = parseClusterCommand(args, {}, '1.2.3');
  if (intention.type !== 'run') throw new Error('expected nodes');
  return intention.nodes;
}

test('three nodes, each with its number, directory and ports, and all of the same cluster', () => {
  const nodes = nodesOf();
  expect(nodes.map(({ nodeId, dataDir }) => [nodeId, dataDir])).toEqual([
    [1, './shanghai-cluster/node-1'],
    [2, './shanghai-cluster/node-2'],
    [3, './shanghai-cluster/node-3'],
  ]);
  const members = '1=127.0.0.1:9191,2=127.0.0.1:9192,3=127.0.0.1:9193';
  for (const { nodeId, args } of nodes) {
    expect(args.join(' ')).toContain(`--http-port ${8080 + nodeId} --grpc-port ${9090 + nodeId}`);
    expect(args.join(' ')).toContain(`--peer-port ${9190 + nodeId} --initial-cluster ${members}`);
  }
});

test('flags of the server hold for every node, those of its own come last', () => {
  const nodes = nodesOf('--log-level', 'warn', '--nodes', '2', '--data-dir=/tmp/x', '--http-port', '0');
  expect(nodes).toHaveLength(2);
  for (const { args, nodeId } of nodes) {
    expect(args.slice(0, 2)).toEqual(['--log-level', 'warn']);
    expect(args.lastIndexOf('--data-dir')).toBeGreaterThan(args.indexOf('--data-dir=/tmp/x'));
    expect(args[args.lastIndexOf('--data-dir') + 1]).toBe(`/tmp/x/node-${nodeId}`);
    expect(args[args.lastIndexOf('--http-port') + 1]).toBe('0');
  }
});

test('what cannot be is said before anything starts', () => {
  for (const [args, message] of [
    [['--nodes', '0'], /whole number from 1 to 9/],
    [['--nodes', 'many'], /whole number from 1 to 9/],
    [['--nodes', '3', '--prot', '1'], /--prot/],
    [['--grpc-port', '65534'], /leaves no ports/],
    [['--grpc-port', '70000'], /grpc/i],
  ] as const) {
    expect(() => parseClusterCommand(args, {}, '1.2.3'), args.join(' ')).toThrow(message);
  }
  const help = parseClusterCommand(['--help'], {}, '1.2.3');
  expect(help).toMatchObject({ type: 'print', text: expect.stringContaining('--nodes <n>') });
});
