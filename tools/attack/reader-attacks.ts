/** Those who ask for much and take nothing, and those who turn pages without end. That nobody leads may be said to them, too. */
import type { ClientHttp2Session } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';
import { encodeFields } from '../nemesis/protobuf-fields.js';
import { type Attack, atOnce, type Field, scaled, type Target, targetOf } from './attack.js';
import { beginCall, callOnce, endOf, grpcMessage, openSession } from './raw-call.js';

const valueBytes = 64 * 1024;
const logName = 'attack-log';
const bigPrefix = 'attack/big/';

/** Works with a client of its own, which is not the healthy one. */
async function withClient(field: Field, work: (client: ShanghaiClient) => Promise<void>): Promise<void> {
  const client = connect({ endpoints: field.targets.map(({ grpc }) => grpc), timeoutMs: 60_000 });
  try {
    await work(client);
  } finally {
    await client.close();
  }
}

/** Large values under one prefix, and the same in a log. */
async function fill(field: Field, client: ShanghaiClient): Promise<void> {
  const value = field.random.bytes(valueBytes);
  await client.log.create(logName).catch(() => undefined);
  await atOnce(scaled(field, 320), 8, async (number) => {
    await client.put(`${bigPrefix}${number}`, value);
    if (number % 2 === 0) await client.log.append(logName, [value]);
  });
}

/** A call whose answers nobody takes, on a connection of its own: the calls of one share a window. Without a request: more is to be written. */
function readNothing(target: Target, path: string, request?: Uint8Array) {
  const session = openSession(target.grpc);
  const stream = beginCall(session, path);
  stream?.pause();
  if (request !== undefined) stream?.end(request);
  return { session, stream };
}

const slowReadersAttack: Attack = {
  name: 'slow readers',
  what: 'Range, Watch and Tail of much, of which nothing is taken, while more is written',
  answers: /^(RESOURCE_EXHAUSTED.*|UNAVAILABLE CLUSTER_ERROR|left open|reset|OK)$/,
  run: (field) =>
    withClient(field, async (client) => {
      await fill(field, client);
      const range = grpcMessage(encodeFields([[4, bigPrefix]]));
      const watch = grpcMessage(encodeFields([[3, bigPrefix]]));
      const tail = grpcMessage(encodeFields([[1, logName]]));
      const calls = [
        { path: '/shanghai.v1.KeyValue/Range', request: range },
        { path: '/shanghai.v1.KeyValue/Watch', request: watch },
        { path: '/shanghai.v1.Log/Tail', request: tail },
      ];
      const sessions: ClientHttp2Session[] = [];
      const ends = Array.from({ length: scaled(field, 240) }, async (_, number) => {
        const { path, request } = calls[number % calls.length] as (typeof calls)[number];
        const { session, stream } = readNothing(field.targets[0], path, request);
        sessions.push(session);
        field.told(await endOf(stream, 15_000 * Math.min(1, field.scale)));
      });
      await fill(field, client);
      await Promise.all(ends);
      for (const session of sessions) session.destroy();
    }),
};

const slowPipelineAttack: Attack = {
  name: 'slow pipeline',
  what: 'one Pipeline that asks for a gigabyte and takes nothing, among sixteen that read and write',
  answers: /^(RESOURCE_EXHAUSTED.*|left open|reset|healthy)$/,
  run: (field) =>
    withClient(field, async (client) => {
      await fill(field, client);
      const { session, stream } = readNothing(field.targets[0], '/shanghai.v1.KeyValue/Pipeline');
      const end = endOf(stream, 60_000);
      let isOver = false;
      const asking = askWithoutEnd(
        field,
        (bytes) => stream?.write(bytes),
        () => isOver,
      );
      await Promise.all(
        Array.from({ length: scaled(field, 16) }, () =>
          withClient(field, async (healthy) => {
            await atOnce(scaled(field, 50), 4, async (number) => {
              await healthy.put(`attack/beside/${number}`, 'v');
              await healthy.get(`attack/beside/${number}`);
            });
            field.told('healthy');
          }),
        ),
      );
      isOver = true;
      await asking;
      field.told(stream?.closed === true ? await end : 'left open');
      session.destroy();
    }),
};

/** Asks for the large values one after the other, 16,384 times at most. */
async function askWithoutEnd(field: Field, send: (bytes: Uint8Array) => unknown, isOver: () => boolean): Promise<void> {
  const total = scaled(field, 16_384);
  for (let id = 1; id <= total && !isOver(); id++) {
    const get = encodeFields([[2, `${bigPrefix}${id % scaled(field, 320)}`]]);
    send(
      grpcMessage(
        encodeFields([
          [1, id],
          [2, get],
        ]),
      ),
    );
    if (id % 100 === 0) await sleep(5);
  }
}

/** A page over HTTP: the code, and ours where it was refused; and where the next one begins. */
async function page(field: Field, turn: number, query: Readonly<Record<string, string>>): Promise<string | undefined> {
  const url = `http://${targetOf(field, turn).http}/kv/range?${new URLSearchParams(query)}`;
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(60_000) });
    const text = await answer.text();
    const code = answer.ok ? undefined : /"code":"?([A-Z_]+)/.exec(text)?.[1];
    field.told(`${answer.status}${code === undefined ? '' : ` ${code}`}`);
    return /"next":"([^"]+)"/.exec(text)?.[1];
  } catch (error) {
    field.told(`no answer: ${(error as Error).message}`);
    return undefined;
  }
}

const pagesAttack: Attack = {
  name: 'pages',
  what: 'the largest pages many at once, one pair a page to the end, limits and continuations that cannot be',
  answers: /^(200|400 [A-Z_]+|429 RESOURCE_EXHAUSTED|503 CLUSTER_ERROR|OK|INVALID_ARGUMENT.*)$/,
  run: (field) =>
    withClient(field, async (client) => {
      await fill(field, client);
      const giants = atOnce(scaled(field, 48), 16, async (number) => {
        await page(field, number, { prefix: bigPrefix, limit: '10000' });
      });
      const deep = atOnce(scaled(field, 4), 4, async (number) => {
        let next: string | undefined;
        do next = await page(field, number, { prefix: bigPrefix, limit: '1', ...(next === undefined ? {} : { next }) });
        while (next !== undefined);
      });
      await Promise.all([giants, deep]);
      for (const limit of ['0', '-1', '10001', '1e9', '99999999999999999999', 'NaN'])
        await page(field, 0, { prefix: '', limit });
      for (const next of ['x', 'AAAA', 'A'.repeat(20_000)]) await page(field, 0, { prefix: '', next });
      const forged: readonly Uint8Array[] = [new Uint8Array(1), field.random.bytes(40), new Uint8Array(100_000)];
      for (const continuation of forged) {
        const request = grpcMessage(
          encodeFields([
            [4, bigPrefix],
            [8, continuation],
          ]),
        );
        field.told(await callOnce(field.targets[0].grpc, '/shanghai.v1.KeyValue/Range', request));
      }
      const all = grpcMessage(
        encodeFields([
          [4, 'attack/small'],
          [5, Number.MAX_SAFE_INTEGER],
        ]),
      );
      field.told(await callOnce(field.targets[0].grpc, '/shanghai.v1.KeyValue/Range', all));
    }),
};

/** All of them. */
export const readerAttacks: readonly Attack[] = [slowReadersAttack, slowPipelineAttack, pagesAttack];
