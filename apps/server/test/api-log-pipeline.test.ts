import { status } from '@grpc/grpc-js';
import { type LogPipelineRequest, type LogPipelineResponse, wireMetadata } from '@shanghai/proto';
import { afterEach, describe, expect, it } from 'vitest';
import { encodeLogRecords } from '../src/apply/log-record-codec.js';
import { type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let fixture: GrpcFixture;
afterEach(() => fixture.close());

const append = (id: number, log = 'l', expectedLastSequence?: bigint): LogPipelineRequest => ({
  id: BigInt(id),
  request: {
    $case: 'append',
    value: {
      log,
      records: [{ key: Buffer.alloc(0), value: Buffer.from(`${id}`), headers: [] }],
      acknowledgement: 0,
      producer: undefined,
      expectedLastSequence,
    },
  },
});
const group = (requests: LogPipelineRequest[]): LogPipelineRequest => ({
  id: 0n,
  request: { $case: 'group', value: { requests } },
});

async function open() {
  fixture = await openGrpcFixture();
  await new Promise<void>((resolve, reject) => {
    fixture.log.createLog({ name: 'l', settings: undefined }, (error) => (error === null ? resolve() : reject(error)));
  });
  const stream = fixture.log.pipeline();
  const answers: LogPipelineResponse[] = [];
  const until = (count: number) =>
    new Promise<LogPipelineResponse[]>((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (message: LogPipelineResponse) => {
        const { response } = message;
        answers.push(...(response?.$case === 'answers' ? response.value.responses : [message]));
        if (answers.length >= count) resolve(answers);
      });
    });
  return { stream, until };
}

describe('Log/Pipeline', () => {
  it('answers each append by its id, in a group or alone, and each failure by itself', async () => {
    const { stream, until } = await open();
    const done = until(5);
    stream.write(group([append(7), append(8, 'missing'), append(9)]));
    stream.write(append(10));
    stream.write(append(11, 'l', 99n));
    const answers = new Map((await done).map(({ id, response }) => [Number(id), response]));
    const placeOf = (id: number) => {
      const response = answers.get(id);
      return response?.$case === 'append' ? Number(response.value.firstSequence) : response?.value;
    };
    expect([7, 9, 10].map(placeOf)).toEqual([1, 2, 3]);
    expect(placeOf(8)).toMatchObject({ code: 'NOT_FOUND' });
    expect(placeOf(11)).toMatchObject({ code: 'CONFLICT' });
    stream.end();
    const text = await fixture.services.metrics.text();
    expect(text).toMatch(/shanghai_requests_total\{api="grpc",method="Log\/Pipeline\/Append",code="OK"\} 3/);
  });

  it('says that it takes packs, and answers one by ranges of its appends', async () => {
    const { stream, until } = await open();
    const done = until(3);
    const messages: LogPipelineResponse[] = [];
    stream.on('data', (message: LogPipelineResponse) => messages.push(message));
    stream.write(append(1));
    const record = (value: string) => ({ key: Buffer.alloc(0), value: Buffer.from(value), headers: [] });
    const records = encodeLogRecords(['a', 'b', 'c'].map(record));
    const pack = (id: number, log: string): LogPipelineRequest => ({
      id: BigInt(id),
      request: { $case: 'pack', value: { log, acknowledgement: 0, records, counts: [2, 1] } },
    });
    stream.write(group([pack(2, 'l'), pack(3, 'missing')]));
    const answers = new Map((await done).map(({ id, response }) => [Number(id), response]));
    expect(messages.map(({ takesPacks }) => takesPacks)).toEqual(messages.map(() => true));
    expect(answers.get(2)).toMatchObject({
      $case: 'pack',
      value: {
        origin: 0n,
        epoch: 1n,
        ranges: [
          { appends: 1, firstSequence: 2n },
          { appends: 1, firstSequence: 4n },
        ],
      },
    });
    expect(answers.get(3)).toMatchObject({ $case: 'error', value: { code: 'NOT_FOUND' } });
    stream.end();
    const text = await fixture.services.metrics.text();
    expect(text).toMatch(/shanghai_requests_total\{api="grpc",method="Log\/Pipeline\/Append",code="OK"\} 3/);
    expect(text).toMatch(/shanghai_requests_total\{api="grpc",method="Log\/Pipeline\/Append",code="NOT_FOUND"\} 2/);
  });

  it.each([
    ['no request', { id: 3n, request: undefined } satisfies LogPipelineRequest],
    ['a group within a group', group([group([append(1)])])],
  ])('ends the stream that sends %s', async (_what, message) => {
    const { stream } = await open();
    const failed = new Promise<{ code: number; metadata: { get(key: string): unknown[] } }>((resolve) =>
      stream.on('error', resolve as never),
    );
    stream.on('data', () => {});
    stream.write(message);
    const { code, metadata } = await failed;
    expect([code, metadata.get(wireMetadata.errorCode)[0]]).toEqual([status.INVALID_ARGUMENT, 'INVALID_REQUEST']);
  });
});
