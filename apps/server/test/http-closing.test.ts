/** Closing the HTTP listener: who is connected hears of it by an answer, not by a connection that breaks. */
import { once } from 'node:events';
import { Agent, type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { openHttpApi } from '../src/api/http/http-api.js';
import { testServices } from './api-services.js';
import { createMemoryNode } from './memory-node.js';

async function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  const [response] = (await once(request.end(), 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response;
}

test('a request that is on its way over a kept connection when the listener closes is answered, and told that it was the last', async () => {
  const http = await openHttpApi(testServices(createMemoryNode(), {}, {}), '127.0.0.1', 0);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = () => httpRequest({ host: '127.0.0.1', port: http.port, path: '/livez', agent });
  const first = await answerTo(ask());
  expect([first.statusCode, first.headers.connection]).toEqual([200, 'keep-alive']);
  http.markStopping();
  const closing = http.close(5_000);
  const request = ask();
  const second = await answerTo(request);
  expect([second.statusCode, second.headers.connection, request.reusedSocket]).toEqual([200, 'close', true]);
  const refused = connect(http.port, '127.0.0.1');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
  await closing;
  agent.destroy();
});

test('without grace every connection is cut, whatever it carries', async () => {
  const http = await openHttpApi(testServices(createMemoryNode(), {}, {}), '127.0.0.1', 0);
  const socket = connect(http.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\nX-');
  const cut = new Promise((resolve) => socket.once('close', resolve));
  await http.close(0);
  await cut;
});
