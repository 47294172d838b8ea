import { Server, ServerCredentials } from '@grpc/grpc-js';
import { nodeClock } from '@shanghai/env';
import { freePorts } from '@shanghai/env/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { MembershipTransport } from '../ports/membership-transport.js';
import { membershipTransportContract } from '../testing/membership-transport-contract.js';
import { createGrpcTransport, openGrpcTransport } from './grpc-transport.js';
import type { GrpcListenerOptions, RefusalEvent } from './grpc-transport-options.js';

const clock = nodeClock();
const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

async function until(isDone: () => boolean): Promise<void> {
  for (let i = 0; !isDone(); i++) {
    if (i > 400) throw new Error('it did not come');
    await new Promise<void>((resolve) => clock.setTimer(10, resolve, { keepsProcess: true }));
  }
}

async function open(nodeId: number, more: Partial<GrpcListenerOptions> = {}) {
  const self = { clusterId: 'c', nodeId, instanceId: `i${nodeId}` };
  const transport = await openGrpcTransport({ self, clock, host: '127.0.0.1', port: 0, ...more });
  opened.push(transport);
  return transport;
}

function listen(transport: MembershipTransport): string[] {
  const heard: string[] = [];
  transport.open({ onFrame: (from, frame) => heard.push(`${from} ${frame.join(' ')}`) });
  return heard;
}

describe('members over gRPC', () => {
  for (const { name, run } of membershipTransportContract) {
    it(name, () =>
      run(async () => {
        const [first, second] = [await open(1), await open(2)];
        const [port] = await freePorts(1);
        const nowhere = `127.0.0.1:${port}`;
        return { first, second, firstAddress: first.address, secondAddress: second.address, nowhere, until };
      }),
    );
  }

  it('refuse another cluster, and both sides are told once', async () => {
    const refused: (RefusalEvent & { at: number })[] = [];
    const listenerOf = (at: number) => ({ refused: (event: RefusalEvent) => refused.push({ ...event, at }) });
    const first = await open(1, { listener: listenerOf(1), limits: { refusedRetryMs: 1 } });
    const other = await open(2, { self: { clusterId: 'd', nodeId: 2, instanceId: 'i2' }, listener: listenerOf(2) });
    listen(first);
    const heard = listen(other);
    await until(() => {
      first.send({ nodeId: 2, address: other.address }, Uint8Array.of(1));
      return refused.filter(({ at }) => at === 2).length > 2;
    });
    expect(heard).toEqual([]);
    expect(refused.find(({ at }) => at === 2)).toMatchObject({ nodeId: 1, refusal: 'cluster', isByOther: false });
    const own = refused.filter(({ at }) => at === 1);
    expect(own).toHaveLength(1);
    expect(own[0]).toMatchObject({ nodeId: 2, refusal: 'cluster', isByOther: true, address: other.address });
  });

  it('let in whom the book knows, and no other', async () => {
    const refusals: unknown[] = [];
    const verdicts = { i1: 'known', i3: 'unknown', i4: 'removed', i5: 'otherInstance' } as const;
    const book = { check: (_: number, instanceId: string) => verdicts[instanceId as keyof typeof verdicts] };
    const keeper = await open(2, { book, listener: { refused: ({ refusal }) => refusals.push(refusal) } });
    const heard = listen(keeper);
    for (const nodeId of [3, 4, 5, 1]) {
      const transport = await open(nodeId);
      listen(transport);
      transport.send({ nodeId: 2, address: keeper.address }, Uint8Array.of(nodeId));
      await until(() => refusals.length + heard.length === opened.length - 1);
    }
    expect([refusals, heard]).toEqual([['unknown', 'removed', 'instance'], ['1 1']]);
  });

  it('reach a node that was started anew at its address', async () => {
    const [port] = await freePorts(1);
    const first = await open(1, { limits: { retryMs: 10 } });
    listen(first);
    let second = await open(2, { port: port as number });
    const to = { nodeId: 2, address: second.address };
    let heard = listen(second);
    await until(() => {
      first.send(to, Uint8Array.of(1));
      return heard.length > 0;
    });
    await second.close();
    second = await open(2, { port: port as number });
    heard = listen(second);
    await until(() => {
      first.send(to, Uint8Array.of(2));
      return heard.length > 0;
    });
    expect(heard[0]).toBe('1 2');
  });

  it('are a service of a server that is there anyway', async () => {
    const server = new Server();
    const kept: string[] = [];
    const connections = { keep: (address: string) => kept.push(address), release: () => undefined };
    const second = createGrpcTransport({ self: { clusterId: 'c', nodeId: 2, instanceId: 'i2' }, clock });
    second.addTo(server, connections);
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      ),
    );
    const heard = listen(second);
    const first = await open(1);
    listen(first);
    first.send({ nodeId: 0, address: `127.0.0.1:${port}` }, Uint8Array.of(7));
    await until(() => heard.length > 0);
    expect([heard, kept.length]).toEqual([['1 7'], 1]);
    await second.close();
    server.forceShutdown();
  });

  it('close connections that are not used', async () => {
    const over: string[] = [];
    const second = await open(2, {
      listener: { disconnected: (nodeId, direction) => over.push(`${nodeId} ${direction}`) },
    });
    const first = await open(1, { limits: { idleMs: 40 } });
    listen(second);
    listen(first);
    first.send({ nodeId: 2, address: second.address }, Uint8Array.of(7));
    await until(() => over.length > 0);
    expect(over).toEqual(['1 in']);
  });

  it('cannot listen where somebody else does', async () => {
    const first = await open(1);
    const port = Number(first.address.split(':')[1]);
    await expect(open(2, { port })).rejects.toMatchObject({ code: 'LISTEN_FAILED' });
  });
});
