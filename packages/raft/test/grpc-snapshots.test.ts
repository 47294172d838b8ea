import { crc32 } from '@shanghai/env';
import { afterEach, expect, test } from 'vitest';
import { emptyConfState } from '../src/core/configuration/configuration.js';
import type { GroupMessage } from '../src/ports/peer-transport.js';
import type { SnapshotFile, SnapshotSink, SnapshotSource } from '../src/ports/state-machine.js';
import { inGroup, type NodeOptions, NotedNode } from './grpc-subject.js';
import { TcpProxy } from './tcp-proxy.js';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

async function node(nodeId: number, options?: NodeOptions): Promise<NotedNode> {
  const opened = await NotedNode.open(nodeId, options);
  closing.push(() => opened.peers.close());
  return opened;
}

const metadata = { index: 9, term: 2, confState: { ...emptyConfState, voters: [1, 2] } };
const offerOf = (groupId: number): GroupMessage =>
  inGroup(groupId, {
    type: 'MsgSnap',
    from: 1,
    to: 2,
    term: 4,
    snapshot: { metadata, data: Uint8Array.of(7) },
  });

/** Files of pseudo-random bytes; counts what is read of them. */
class Source implements SnapshotSource {
  readonly contents: Readonly<Record<string, Uint8Array>>;
  bytesRead = 0;
  beforeRead: (offset: number) => Promise<void> | void = () => undefined;

  constructor(sizes: Readonly<Record<string, number>>) {
    const bytesOf = (size: number) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + (at >> 8)) & 255);
    this.contents = Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, bytesOf(size)]));
  }

  async files(): Promise<readonly SnapshotFile[]> {
    return Object.entries(this.contents).map(([name, bytes]) => ({ name, bytes: bytes.length, crc: crc32(bytes) }));
  }

  async read(name: string, offset: number, length: number): Promise<Uint8Array> {
    await this.beforeRead(offset);
    this.bytesRead += length;
    return (this.contents[name] as Uint8Array).slice(offset, offset + length);
  }

  async release(): Promise<void> {}
}

/** Keeps what came from one attempt to the next, as a disk does. */
class Kept {
  readonly files = new Map<string, Uint8Array>();
  readonly ends: string[] = [];
  begun = 0;
  beforeWrite: (offset: number) => Promise<void> | void = () => undefined;
  #wake: (() => void)[] = [];

  readonly sink = async (): Promise<SnapshotSink> => {
    let wanted: readonly SnapshotFile[] = [];
    return {
      begin: async (files) => {
        this.begun++;
        wanted = files;
        this.#changed();
        return files.map(({ name }) => this.files.get(name)?.length ?? 0);
      },
      write: async (name, offset, bytes) => {
        await this.beforeWrite(offset);
        const known = this.files.get(name) ?? new Uint8Array(0);
        if (known.length !== offset) throw new Error(`a gap in '${name}' at ${offset}`);
        this.files.set(name, Buffer.concat([known, bytes]));
        this.#changed();
      },
      complete: async () => {
        for (const { name, crc } of wanted) {
          if (crc32(this.files.get(name) ?? new Uint8Array(0)) === crc) continue;
          this.files.delete(name);
          throw new Error(`'${name}' is not what was said`);
        }
        this.#end('completed');
      },
      abandon: async () => this.#end('abandoned'),
    };
  };

  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => this.#wake.push(resolve));
  }

  #end(how: string): void {
    this.ends.push(how);
    this.#changed();
  }

  #changed(): void {
    for (const wake of this.#wake.splice(0)) wake();
  }
}

function expectSame(kept: Kept, source: Source): void {
  expect([...kept.files.keys()].sort()).toEqual(Object.keys(source.contents).sort());
  for (const [name, bytes] of kept.files) expect(Buffer.compare(bytes, source.contents[name] as Uint8Array)).toBe(0);
}

const never = () => new AbortController().signal;

test('a stream that breaks is begun anew by itself, and nothing that was written is sent again', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  const between = await TcpProxy.open(second.peers.address);
  closing.push(() => between.close());
  first.peers.setPeers([{ nodeId: 2, address: between.address }]);
  const source = new Source({ 'a.data': 3_000_000, 'b/c': 1_000_000 });
  let isCut = false;
  kept.beforeWrite = (offset) => {
    if (offset < 2_000_000 || isCut) return;
    isCut = true;
    between.cut();
  };
  await first.peers.sendSnapshot(2, offerOf(1), source, never());
  expectSame(kept, source);
  expect([kept.begun, kept.ends]).toEqual([2, ['abandoned', 'completed']]);
  // Beside the files, only what was on its way when the stream broke was read again.
  expect(source.bytesRead).toBeLessThan(4_000_000 + 2 * 2_097_152);
});

test('a file that is not what was said is sent again, whole', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  kept.files.set('a', new Uint8Array(300_000).fill(9));
  const source = new Source({ a: 600_000 });
  await first.peers.sendSnapshot(2, offerOf(1), source, never());
  expectSame(kept, source);
  expect(kept.begun).toBe(2);
});

test('a source that cannot be read fails the sending with its own error, and the sink is told', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  const source = new Source({ a: 600_000 });
  source.beforeRead = (offset) => {
    if (offset > 0) throw new Error('the disk failed');
  };
  await expect(first.peers.sendSnapshot(2, offerOf(1), source, never())).rejects.toThrow('the disk failed');
  await kept.until(() => kept.ends.length === 1);
  expect(kept.ends).toEqual(['abandoned']);
});

test('a sink that cannot write fails the sending with the reason', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  kept.beforeWrite = () => {
    throw new Error('no space is left');
  };
  await expect(first.peers.sendSnapshot(2, offerOf(1), new Source({ a: 10 }), never())).rejects.toMatchObject({
    code: 'SNAPSHOT_REFUSED',
    message: expect.stringContaining('no space is left'),
  });
});

test('a slow disk holds back its sender: no more than the window is on its way', async () => {
  const kept = new Kept();
  const limits = { snapshotWindowBytes: 600_000 };
  const second = await node(2, { onSnapshot: kept.sink, limits });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  const source = new Source({ a: 5_000_000 });
  let most = 0;
  kept.beforeWrite = async (offset) => {
    most = Math.max(most, source.bytesRead - offset);
    await new Promise((resolve) => setImmediate(resolve));
  };
  await first.peers.sendSnapshot(2, offerOf(1), source, never());
  expectSame(kept, source);
  // One chunk more may have been read, for when there is room.
  expect(most).toBeLessThanOrEqual(600_000 + 262_144);
});

test('only so many come in at a time; the others wait, and come', async () => {
  const kept = new Map<number, Kept>();
  let atOnce = 0;
  let most = 0;
  const second = await node(2, {
    limits: { maxSnapshotsReceived: 2 },
    onSnapshot: async (_, { groupId }) => {
      const one = kept.get(groupId) as Kept;
      most = Math.max(most, ++atOnce);
      const sink = await one.sink();
      return {
        ...sink,
        complete: async () => {
          await sink.complete();
          atOnce--;
        },
      };
    },
  });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  const sources = [1, 2, 3, 4, 5].map((groupId) => {
    kept.set(groupId, new Kept());
    return [groupId, new Source({ a: 700_000, b: 0 })] as const;
  });
  await Promise.all(sources.map(([groupId, source]) => first.peers.sendSnapshot(2, offerOf(groupId), source, never())));
  for (const [groupId, source] of sources) expect(kept.get(groupId)?.files.get('a')?.length).toBe(source.bytesRead);
  expect(most).toBeLessThanOrEqual(2);
});

test('a newer snapshot of the same group takes the place of an older one, which is abandoned before it begins', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  let goOn: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const slow = new Source({ a: 600_000 });
  slow.beforeRead = (offset) => (offset > 0 ? held : undefined);
  const abort = new AbortController();
  const older = first.peers.sendSnapshot(2, offerOf(1), slow, abort.signal);
  await kept.until(() => kept.files.has('a'));
  const newer = first.peers.sendSnapshot(2, offerOf(1), new Source({ a: 600_000 }), never());
  await newer;
  expect(kept.ends).toEqual(['abandoned', 'completed']);
  abort.abort(new Error('not needed any more'));
  goOn();
  await expect(older).rejects.toThrow('not needed any more');
});

test('closing a node ends what it sends and what it receives, and every sink is told', async () => {
  const kept = new Kept();
  const second = await node(2, { onSnapshot: kept.sink });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  const source = new Source({ a: 600_000 });
  let goOn: () => void = () => undefined;
  source.beforeRead = (offset) =>
    offset === 0
      ? undefined
      : new Promise<void>((resolve) => {
          goOn = resolve;
        });
  const sending = first.peers.sendSnapshot(2, offerOf(1), source, never());
  const failed = expect(sending).rejects.toMatchObject({ code: 'CLOSED' });
  await kept.until(() => kept.files.has('a'));
  await second.peers.close();
  expect(kept.ends).toEqual(['abandoned']);
  await first.peers.close();
  goOn();
  await failed;
});

test('a snapshot whose message is larger than a frame arrives', async () => {
  const kept = new Kept();
  const offers: GroupMessage[] = [];
  const second = await node(2, {
    onSnapshot: (_, offer) => {
      offers.push(offer);
      return kept.sink();
    },
  });
  const first = await node(1);
  first.peers.setPeers([{ nodeId: 2, address: second.peers.address }]);
  const data = new Uint8Array(3_000_000).fill(5);
  const snapshot = { metadata, data };
  await first.peers.sendSnapshot(2, inGroup(1, { type: 'MsgSnap', from: 1, to: 2, snapshot }), undefined, never());
  expect(Buffer.compare(offers[0]?.message.snapshot?.data as Uint8Array, data)).toBe(0);
});
