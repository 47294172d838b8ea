import { type ClientDuplexStream, type ServiceError, status } from '@grpc/grpc-js';
import { type PipelineRequest, type PipelineResponse, wireMetadata } from '@shanghai/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { ServerError } from '../src/requests/server-error.js';
import { failureOf, type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let fixture: GrpcFixture;
afterEach(() => fixture.close());

const bytes = (text: string) => Buffer.from(text);
const put = (id: number, key: string, value = 'v'): PipelineRequest => ({
  id: BigInt(id),
  request: { $case: 'put', value: { options: undefined, key: bytes(key), value: bytes(value), ttlMs: 0n } },
});
const group = (requests: PipelineRequest[]): PipelineRequest => ({
  id: 0n,
  request: { $case: 'group', value: { requests } },
});

/** Answers of a message, whether it holds one or several. */
function answersIn(message: PipelineResponse): PipelineResponse[] {
  return message.response?.$case === 'answers' ? message.response.value.responses : [message];
}

/** Reads messages until `count` answers have come. */
async function collect(stream: ClientDuplexStream<PipelineRequest, PipelineResponse>, count: number) {
  const messages: PipelineResponse[] = [];
  const answers: PipelineResponse[] = [];
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject);
    stream.on('data', (message: PipelineResponse) => {
      messages.push(message);
      answers.push(...answersIn(message));
      if (answers.length >= count) resolve();
    });
  });
  return { messages, answers };
}

const ticks = async (count: number) => {
  for (let tick = 0; tick < count; tick++) await new Promise((resolve) => setImmediate(resolve));
};

describe('Pipeline', () => {
  it('answers every kind of request by its id', async () => {
    fixture = await openGrpcFixture();
    const stream = fixture.keyValue.pipeline();
    const key = bytes('a');
    const operations = [{ operation: { $case: 'delete' as const, value: { key } } }];
    const requests: PipelineRequest[] = [
      put(1, 'a', 'x'),
      { id: 2n, request: { $case: 'append', value: { options: undefined, key, value: bytes('y') } } },
      { id: 3n, request: { $case: 'get', value: { options: undefined, key } } },
      { id: 4n, request: { $case: 'delete', value: { options: undefined, key } } },
      { id: 5n, request: { $case: 'batch', value: { options: undefined, atomic: true, operations } } },
      { id: 6n, request: { $case: 'transact', value: { options: undefined, conditions: [], operations } } },
    ];
    const collected = collect(stream, requests.length);
    for (const request of requests) stream.write(request);
    const { answers } = await collected;
    const kinds = new Map(answers.map(({ id, response }) => [id, response?.$case]));
    expect([...kinds].sort()).toEqual([
      [1n, 'put'],
      [2n, 'append'],
      [3n, 'get'],
      [4n, 'delete'],
      [5n, 'batch'],
      [6n, 'transact'],
    ]);
    stream.end();
  });

  it('answers a group that is ready in one turn with one message', async () => {
    fixture = await openGrpcFixture();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 100);
    stream.write(group(Array.from({ length: 100 }, (_, index) => put(index + 1, `k${index}`))));
    const { messages, answers } = await collected;
    expect(messages).toHaveLength(1);
    expect(answers.map(({ id }) => id)).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(index + 1)));
    stream.end();
  });

  it('a failure is the answer of its request alone', async () => {
    fixture = await openGrpcFixture();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 2);
    fixture.node.failNext(new ServerError('CONFLICT', 'no', { details: { revision: 4 } }));
    stream.write(group([put(1, 'a'), put(2, 'b')]));
    const { answers } = await collected;
    expect(answers.find(({ id }) => id === 1n)?.response).toEqual({
      $case: 'error',
      value: { code: 'CONFLICT', message: 'no', detailsJson: '{"revision":4}' },
    });
    expect(answers.find(({ id }) => id === 2n)?.response?.$case).toBe('put');
    stream.end();
  });

  it('answers what is in flight after the caller has sent its last request, then ends', async () => {
    fixture = await openGrpcFixture();
    const release = fixture.node.hold();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 2);
    const ended = new Promise((resolve) => stream.on('end', resolve));
    stream.write(group([put(1, 'a'), put(2, 'b')]));
    stream.end();
    while (fixture.node.held < 2) await ticks(1);
    release();
    expect((await collected).answers).toHaveLength(2);
    await ended;
  });

  it.each([
    ['holds no request', { id: 9n, request: undefined }],
    ['is a group within a group', group([group([])])],
  ])('a message that %s breaks the stream with INVALID_REQUEST', async (what, message) => {
    fixture = await openGrpcFixture();
    const stream = fixture.keyValue.pipeline();
    const failure = failureOf(collect(stream, 1));
    stream.write(message);
    expect(await failure).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining(what) });
  });

  it('reads no further while as many requests are in flight as it may hold', async () => {
    fixture = await openGrpcFixture({ pipelineRequests: 8 });
    const release = fixture.node.hold();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 400);
    for (let id = 1; id <= 400; id++) stream.write(put(id, 'k'));
    while (fixture.node.held < 8) await ticks(1);
    await ticks(200);
    expect(fixture.node.held).toBe(8);
    release();
    expect(new Set((await collected).answers.map(({ id }) => id)).size).toBe(400);
    stream.end();
  });

  it('reads no further while the bytes in flight are at their bound', async () => {
    fixture = await openGrpcFixture({ pipelineBytes: 10_000 });
    const release = fixture.node.hold();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 50);
    for (let id = 1; id <= 50; id++) stream.write(put(id, 'k', 'x'.repeat(2_000)));
    while (fixture.node.held < 5) await ticks(1);
    await ticks(200);
    expect(fixture.node.held).toBe(5);
    release();
    expect((await collected).answers).toHaveLength(50);
    stream.end();
  });

  it('begins no more requests of one large group than it may hold, and answers all of them', async () => {
    fixture = await openGrpcFixture({ pipelineRequests: 8 });
    const release = fixture.node.hold();
    const stream = fixture.keyValue.pipeline();
    const collected = collect(stream, 100);
    stream.write(group(Array.from({ length: 100 }, (_, index) => put(index + 1, 'k'))));
    stream.end();
    while (fixture.node.held < 8) await ticks(1);
    await ticks(50);
    expect(fixture.node.held).toBe(8);
    release();
    expect((await collected).answers).toHaveLength(100);
  });

  it('begins fewer reads at once when their answers are large', async () => {
    fixture = await openGrpcFixture({ pipelineBytes: 100_000 });
    fixture.node.data.set('big', { key: bytes('big'), value: Buffer.alloc(20_000), revision: 1, expiresAtMs: 0 });
    const stream = fixture.keyValue.pipeline();
    const get = (id: number): PipelineRequest => ({
      id: BigInt(id),
      request: { $case: 'get', value: { options: undefined, key: bytes('big') } },
    });
    const collected = collect(stream, 41);
    stream.write(get(1));
    await new Promise((resolve) => stream.once('data', resolve));
    const release = fixture.node.hold();
    stream.write(group(Array.from({ length: 40 }, (_, index) => get(index + 2))));
    while (fixture.node.held < 5) await ticks(1);
    await ticks(50);
    expect(fixture.node.held).toBe(5);
    release();
    expect((await collected).answers).toHaveLength(41);
    stream.end();
  });

  it('stops answering, and so reading, for a caller that reads no answers', async () => {
    fixture = await openGrpcFixture({ streamBufferBytes: 64 * 1024, pipelineRequests: 64 });
    const value = Buffer.alloc(16 * 1024);
    fixture.node.data.set('big', { key: bytes('big'), value, revision: 1, expiresAtMs: 0 });
    const stream = fixture.keyValue.pipeline();
    stream.on('error', () => {});
    stream.on('data', () => {});
    stream.pause();
    let answered = 0;
    const get = fixture.node.keyValue.get.bind(fixture.node.keyValue);
    fixture.node.keyValue.get = (...args) => {
      answered++;
      return get(...args);
    };
    const request = (id: number): PipelineRequest => ({
      id: BigInt(id),
      request: { $case: 'get', value: { options: undefined, key: bytes('big') } },
    });
    for (let id = 1; id <= 2_000; id++) stream.write(request(id));
    let before = -1;
    for (let quiet = 0; quiet < 200; quiet++) {
      if (answered !== before) quiet = 0;
      before = answered;
      await ticks(1);
    }
    expect(answered).toBeGreaterThan(0);
    expect(answered).toBeLessThan(400);
    stream.cancel();
  });

  it('answers what was begun when the listener closes, then ends with SERVICE_UNAVAILABLE', async () => {
    fixture = await openGrpcFixture({ pipelineRequests: 2 });
    const release = fixture.node.hold();
    const stream = fixture.keyValue.pipeline();
    const answers: PipelineResponse[] = [];
    stream.on('data', (message: PipelineResponse) => answers.push(...answersIn(message)));
    const failure = new Promise<ServiceError>((resolve) => void stream.on('error', resolve));
    stream.write(group([put(1, 'a'), put(2, 'b'), put(3, 'c')]));
    while (fixture.node.held < 2) await ticks(1);
    const closed = fixture.api.close(30_000);
    release();
    const { code, metadata } = await failure;
    expect([code, metadata.get(wireMetadata.errorCode)]).toEqual([status.UNAVAILABLE, ['SERVICE_UNAVAILABLE']]);
    expect(answers.map(({ id, response }) => [id, response?.$case])).toEqual([
      [1n, 'put'],
      [2n, 'put'],
    ]);
    await closed;
  });
});
