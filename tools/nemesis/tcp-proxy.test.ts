import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from './tcp-proxy.js';

let server: Server;
let proxy: TcpProxy;
let accepted: Promise<Socket>;
let near: Socket;

beforeEach(async () => {
  server = createServer();
  accepted = once(server, 'connection').then(([socket]) => socket as Socket);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy = await TcpProxy.open('127.0.0.1', { host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  near = connect(proxy.port, '127.0.0.1');
  await once(near, 'connect');
});

afterEach(async () => {
  near.destroy();
  (await accepted).destroy();
  proxy.close();
  server.close();
});

async function nextText(socket: Socket): Promise<string> {
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return chunk.toString();
}

test('passes on both ways, and the end', async () => {
  const far = await accepted;
  const there = nextText(far);
  near.write('there');
  expect(await there).toBe('there');
  const back = nextText(near);
  far.write('back');
  expect(await back).toBe('back');
  const ended = once(far, 'end');
  near.end();
  await ended;
});

test('a way that is closed one way holds what is sent until it is opened, and the other way works', async () => {
  const far = await accepted;
  proxy.set({ there: false });
  let isHeard = false;
  const heard = nextText(far).then((text) => {
    isHeard = true;
    return text;
  });
  near.write('held');
  // An answer that was sent later is there: what was sent before it is not.
  const back = nextText(near);
  far.write('back');
  expect(await back).toBe('back');
  expect(isHeard).toBe(false);
  proxy.set({ there: true });
  expect(await heard).toBe('held');
});

test('a connection made over a closed way waits, and works when it is opened', async () => {
  await accepted;
  proxy.set({ there: false, back: false });
  const later = connect(proxy.port, '127.0.0.1');
  const second = once(server, 'connection').then(([socket]) => socket as Socket);
  later.write('hello');
  const heard = second.then(nextText);
  await once(later, 'connect');
  proxy.set({ there: true, back: true });
  expect(await heard).toBe('hello');
  later.destroy();
  (await second).destroy();
});

test('what is delayed keeps its order', async () => {
  const far = await accepted;
  proxy.delayMs = 20;
  near.write('a');
  near.write('b');
  let text = '';
  while (text.length < 2) text += await nextText(far);
  expect(text).toBe('ab');
});

test('an end that breaks breaks the other one', async () => {
  const far = await accepted;
  const closed = once(near, 'close');
  near.on('error', () => undefined);
  far.resetAndDestroy();
  await closed;
});
