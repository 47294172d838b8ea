/** A node that lives twice: its directory, copied while it runs, and a second process over the copy. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, lstatSync, rmSync } from 'node:fs';
import { serverMain } from '../real-data/processes.js';
import type { ThreeNodes } from '../real-data/three-nodes.js';
import type { Attack } from './attack.js';

/** The copy must not start, or end by itself, and say why; it may also be what a copy of files in use often is: damaged. */
export function copiedDirectory(nodes: ThreeNodes): Attack {
  return {
    name: 'copied directory',
    what: 'a second process over a copy of the directory of a node that lives',
    answers: /^ended with [1-9]\d*, saying why$/,
    async run({ targets, told }) {
      const [{ nodeId }] = targets;
      const copy = `${nodes.dataDirectory(nodeId)}-copy`;
      cpSync(nodes.dataDirectory(nodeId), copy, { recursive: true, filter: (path) => !lstatSync(path).isSocket() });
      const ports = ['--http-port', '0', '--grpc-port', '0', '--peer-port', '0'];
      const child = spawn(process.execPath, [serverMain, '--data-dir', copy, ...ports], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let said = '';
      const hear = (chunk: Buffer) => {
        said += chunk.toString();
      };
      child.stdout.on('data', hear);
      child.stderr.on('data', hear);
      const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
      const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
      clearTimeout(timer);
      rmSync(copy, { recursive: true, force: true });
      const isTold = /^shanghai: .{20}/m.test(said);
      told(`ended with ${code ?? signal}, ${isTold ? 'saying why' : `saying '${said.slice(-300)}'`}`);
    },
  };
}
