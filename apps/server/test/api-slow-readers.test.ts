import type { ClientReadableStream } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GrpcFixture, openGrpcFixture } from './grpc-fixture.js';

let fixture: GrpcFixture;
beforeEach(async () => {
  fixture = await openGrpcFixture({ streamBufferBytes: 256 * 1024 });
  const settings = undefined;
  const created = new Promise((resolve) => fixture.log.createLog({ name: 'l', settings }, resolve));
  await created;
});
afterEach(() => fixture.close());

const none = Buffer.alloc(0);
const bounds = { start: none, end: none, prefix: none, limit: 0n, reverse: false, keysOnly: false };
const streams: Readonly<Record<string, () => ClientReadableStream<unknown>>> = {
  Range: () => fixture.keyValue.range({ ...bounds, options: undefined, continuation: none }),
  Watch: () => fixture.keyValue.watch({ keyspace: '', target: undefined, position: none, keysOnly: false }),
  Tail: () => fixture.log.tail({ log: 'l', origin: 0n, start: undefined }),
};

const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until the source has made no page for 200 turns of the event loop, and says how many it made in all. */
async function pagesWhenQuiet(): Promise<number> {
  let before = -1;
  for (let quiet = 0; quiet < 200; quiet++) {
    const { pages = 0 } = fixture.node.endless ?? {};
    if (pages !== before || pages === 0) quiet = 0;
    before = pages;
    await tick();
  }
  return before;
}

describe.each(Object.keys(streams))('a reader of %s that stops', (name) => {
  it('costs a bounded number of pages, and reading goes on where it stopped', async () => {
    const pageBytes = 64 * 1024;
    fixture.node.endless = { pageBytes, pages: 0 };
    const stream = streams[name]?.() as ClientReadableStream<unknown>;
    let read = 0;
    stream.on('error', () => {});
    stream.on('data', () => {
      read++;
      if (read % 10 === 0) stream.pause();
    });
    const atFirstStop = await pagesWhenQuiet();
    // 256 KiB wait in the server; grpc-js and HTTP/2 windows on both sides hold the rest.
    expect((atFirstStop - read) * pageBytes).toBeLessThan(4 * 1024 * 1024);
    stream.resume();
    const atSecondStop = await pagesWhenQuiet();
    expect(read).toBe(20);
    expect(atSecondStop).toBeGreaterThan(atFirstStop);
    expect((atSecondStop - read) * pageBytes).toBeLessThan(4 * 1024 * 1024);
    stream.cancel();
    const { signal } = fixture.node.seen.context ?? {};
    if (signal?.aborted === false) await new Promise((resolve) => signal.addEventListener('abort', resolve));
    const { pages } = fixture.node.endless;
    for (let turn = 0; turn < 50; turn++) await tick();
    expect(fixture.node.endless.pages - pages).toBeLessThanOrEqual(1);
  });
});
