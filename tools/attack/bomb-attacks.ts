/** Little that becomes much: what is compressed, what is nested, what says that it is large. */
import { constants, deflateSync, gzipSync } from 'node:zlib';
import { encodeFields } from '../nemesis/protobuf-fields.js';
import { type Attack, atOnce, type Field, scaled, targetOf } from './attack.js';
import { callOnce, grpcMessage } from './raw-call.js';

const put = '/shanghai.v1.KeyValue/Put';

/** Zeros, a thousand times smaller. Made in parts of 16 MiB, one gzip member each, which together are one file. */
function bomb(mebibytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(16 * 1024 * 1024), { level: constants.Z_BEST_COMPRESSION });
  return Buffer.concat(Array.from({ length: Math.ceil(mebibytes / 16) }, () => member));
}

const bombsAttack: Attack = {
  name: 'compressed bombs',
  what: 'gzip and deflate of a gigabyte of zeros, cut, damaged and unknown forms, in calls of gRPC',
  // INTERNAL is what gRPC prescribes where a message cannot be decompressed.
  answers: /^(RESOURCE_EXHAUSTED.*|INVALID_ARGUMENT.*|UNIMPLEMENTED|INTERNAL|OK)$/,
  async run(field) {
    const gzip = bomb(scaled(field, 1_024));
    const deflate = deflateSync(Buffer.alloc(128 * 1024 * 1024 * Math.min(1, field.scale)));
    const small = gzipSync(
      encodeFields([
        [2, 'attack/small'],
        [3, 'v'],
      ]),
    );
    const damaged = Buffer.from(small);
    damaged[damaged.length - 6] = (damaged[damaged.length - 6] ?? 0) ^ 0xff;
    const cases: readonly { readonly encoding: string; readonly bytes: Buffer }[] = [
      { encoding: 'gzip', bytes: grpcMessage(gzip, true) },
      { encoding: 'deflate', bytes: grpcMessage(deflate, true) },
      { encoding: 'gzip', bytes: grpcMessage(small.subarray(0, small.length - 9), true) },
      { encoding: 'gzip', bytes: grpcMessage(damaged, true) },
      { encoding: 'gzip', bytes: grpcMessage(Buffer.from('no gzip at all'), true) },
      { encoding: 'br', bytes: grpcMessage(small, true) },
      { encoding: 'identity', bytes: grpcMessage(small, true) },
      { encoding: 'gzip', bytes: grpcMessage(small, true) },
    ];
    await atOnce(scaled(field, 6) * cases.length, 8, async (number) => {
      const { encoding, bytes } = cases[number % cases.length] as (typeof cases)[number];
      const headers = { 'grpc-encoding': encoding };
      const answer = await callOnce(targetOf(field, number).grpc, put, bytes, { headers, limitMs: 60_000 });
      field.told(answer);
    });
  },
};

/** An HTTP request of a body; the code, and ours where it was refused. */
async function send(field: Field, turn: number, body: Uint8Array, headers: Readonly<Record<string, string>>) {
  const url = `http://${targetOf(field, turn).http}/kv?key=attack%2Fbomb`;
  try {
    const answer = await fetch(url, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', connection: 'close', ...headers },
      body: new Uint8Array(body),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await answer.text();
    const code = /"code":"?([A-Z_]+)/.exec(text)?.[1];
    field.told(`${answer.status}${code === undefined ? '' : ` ${code}`}`);
  } catch {
    // A body that is too large is not read to its end.
    field.told('hung up');
  }
}

const bodiesAttack: Attack = {
  name: 'bodies',
  what: 'HTTP bodies that are compressed, nested a million deep, of a million parts, or larger than any may be',
  answers: /^((400|413|415|429) [A-Z_]+|hung up)$/,
  async run(field) {
    const json = Buffer.from('{"value":"v"}');
    const cases: readonly { readonly bytes: Uint8Array; readonly headers: Readonly<Record<string, string>> }[] = [
      { bytes: bomb(scaled(field, 256)), headers: { 'content-encoding': 'gzip' } },
      { bytes: gzipSync(json), headers: { 'content-encoding': 'gzip' } },
      { bytes: deflateSync(json), headers: { 'content-encoding': 'deflate' } },
      { bytes: Buffer.from('['.repeat(1_000_000)), headers: {} },
      { bytes: Buffer.from(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`), headers: {} },
      { bytes: Buffer.from(`[${'{},'.repeat(1_000_000)}{}]`), headers: {} },
      { bytes: Buffer.from(`{"value":"${'\\u0000'.repeat(400_000)}","ttl_ms":1e999}`), headers: {} },
      { bytes: Buffer.alloc(64 * 1024 * 1024 * Math.min(1, field.scale) + 30_000_000, 'x'), headers: {} },
      { bytes: json, headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      { bytes: Buffer.from('{"__proto__":{"value":"v"}}'), headers: {} },
    ];
    await atOnce(scaled(field, 5) * cases.length, 5, async (number) => {
      const { bytes, headers } = cases[number % cases.length] as (typeof cases)[number];
      await send(field, number, bytes, headers);
    });
  },
};

/** All of them. */
export const bombAttacks: readonly Attack[] = [bombsAttack, bodiesAttack];
