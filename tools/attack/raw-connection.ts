/** Connections below every protocol, and the frames of HTTP/2 written by hand. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { hostAndPortOf } from './attack.js';

/** What a client of HTTP/2 says first. */
export const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** A frame of HTTP/2; `length` where it is to lie about its payload. */
export function http2Frame(
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
  length = payload.length,
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Empty settings. */
export const noSettings = http2Frame(4, 0, 0, new Uint8Array(0));

/** A connection, or nothing where it was refused at once. */
export async function connectTo(address: string): Promise<Socket | undefined> {
  const { host, port } = hostAndPortOf(address);
  const socket = connect(port, host);
  // Whoever is attacked may hang up at any time; that is an answer.
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return undefined;
  }
}

/** Says `bytes` and waits for the end: `hung up`, the status line of HTTP/1, or that it was `left open`. */
export async function answerToBytes(address: string, bytes: Uint8Array, limitMs: number): Promise<string> {
  const socket = await connectTo(address);
  if (socket === undefined) return 'refused';
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    if (heard.length < 100) heard += chunk.toString('latin1');
  });
  socket.write(bytes);
  const isOver = socket.closed || (await Promise.race([closed(socket), sleep(limitMs, false)]));
  socket.destroy();
  const [, code] = /^HTTP\/1\.1 (\d{3})/.exec(heard) ?? [];
  if (code !== undefined) return code;
  return isOver ? 'hung up' : 'left open';
}

/** Resolves when nothing more can come. */
export function closed(socket: Socket): Promise<true> {
  return new Promise((resolve) => {
    if (socket.closed) resolve(true);
    else socket.once('close', () => resolve(true));
  });
}
