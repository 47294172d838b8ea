import { once } from 'node:events';
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { decodeHealthRequest, HealthService } from './health-service.js';

test('a request names a service, or the server as a whole; fields of other versions are passed over', () => {
  expect(decodeHealthRequest(Buffer.alloc(0))).toEqual({ service: '' });
  expect(decodeHealthRequest(Buffer.from('\x0a\x01s'))).toEqual({ service: 's' });
  const others = Buffer.from([0x10, 0x96, 0x01, 0x1a, 2, 7, 7, 0x21, 1, 2, 3, 4, 5, 6, 7, 8, 0x2d, 1, 2, 3, 4]);
  expect(decodeHealthRequest(Buffer.concat([others, Buffer.from('\x0a\x01s')]))).toEqual({ service: 's' });
});

test('what is no message is refused, whatever it is', () => {
  for (const bytes of [[0x0a], [0x0a, 5, 1], [0x80], [0x0b], [0x21, 1], Array.from({ length: 20 }, () => 0xff)]) {
    expect(() => decodeHealthRequest(Buffer.from(bytes))).toThrow(RangeError);
  }
});

test('check, list and watch answer what is set, of each service by its name', async () => {
  const health = new HealthService();
  health.set('', 'SERVING');
  health.set('a', 'NOT_SERVING');
  const server = new Server();
  health.addTo(server);
  const port = await new Promise<number>((resolve, reject) => {
    const bound = (error: Error | null, bound: number) => (error === null ? resolve(bound) : reject(error));
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), bound);
  });
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  const path = (method: string) => `/grpc.health.v1.Health/${method}`;
  const ask = (method: string, request: string) =>
    new Promise<string>((resolve) => {
      client.makeUnaryRequest(path(method), asIs, asIs, Buffer.from(request), (error, answer) =>
        resolve(error === null ? (answer?.toString('hex') ?? '') : `${error.code}`),
      );
    });
  expect(await ask('Check', '')).toBe('0801');
  expect(await ask('Check', '\x0a\x01a')).toBe('0802');
  expect(await ask('Check', '\x0a\x01b')).toBe('5');
  expect(await ask('List', '')).toBe('0a060a0012020801' + '0a070a016112020802');
  const watch = client.makeServerStreamRequest(path('Watch'), asIs, asIs, Buffer.from('\x0a\x01b'));
  watch.on('error', () => undefined);
  const heard: string[] = [];
  watch.on('data', (bytes: Buffer) => heard.push(bytes.toString('hex')));
  await once(watch, 'data');
  health.set('b', 'SERVING');
  await once(watch, 'data');
  health.set('b', 'SERVING');
  health.set('a', 'SERVING');
  health.set('b', 'NOT_SERVING');
  await once(watch, 'data');
  expect(heard).toEqual(['0803', '0801', '0802']);
  watch.cancel();
  client.close();
  server.forceShutdown();
});
