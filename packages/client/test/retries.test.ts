import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/index.js';
import type { RequestFate } from '../src/testing/index.js';
import { createTestClient, requestsIn, type TestClient } from '../src/testing/test-client.js';

/** Deals out fates to pipelined requests, then delivers. */
function fates(test: TestClient, ...dealt: RequestFate[]): void {
  test.transport.fate = ({ kind }) => (kind === 'pipeline' ? (dealt.shift() ?? 'deliver') : 'deliver');
}

/** The call's outcome, however long its back-off takes. */
async function settle<Value>(test: TestClient, call: Promise<Value>): Promise<Value> {
  let settled = false;
  const done = () => {
    settled = true;
  };
  call.then(done, done);
  for (let i = 0; i < 200 && !settled; i++) await test.clock.advance(10);
  return await call;
}

const refused = (code: ClientError['code']) => new ClientError(code, 'refused', { answered: true });

/** Session, number and repetition mark of every write that was sent. */
function writesSent({ transport }: TestClient): string[] {
  return transport.messages.flatMap(requestsIn).flatMap(({ request }) => {
    if (request?.$case !== 'append') return [];
    const { sessionId = 0n, requestNumber = 0n, retry = false } = request.value.options ?? {};
    return [`${sessionId}/${requestNumber}${retry ? ' again' : ''}`];
  });
}

describe('a write with a session', () => {
  it('is applied once although its request, or its answer, was lost on the way', async () => {
    for (const fate of ['lose-request', 'lose-answer'] as const) {
      const test = createTestClient();
      await test.client.append('a', 'x');
      fates(test, fate, fate, fate);
      await settle(test, test.client.append('a', 'y'));
      expect(await test.client.getText('a')).toBe('xy');
      expect(writesSent(test)).toEqual(['1/1', '1/2', '1/2 again', '1/2 again', '1/2 again']);
    }
  });

  it('is sent again with its number, but not as a repetition, when nothing was done', async () => {
    const test = createTestClient();
    fates(test, refused('RESOURCE_EXHAUSTED'), refused('SERVICE_UNAVAILABLE'));
    await settle(test, test.client.append('a', 'x'));
    expect(writesSent(test)).toEqual(['1/1', '1/1', '1/1']);
  });

  it('moves to a new session when its own expired before it was done', async () => {
    const test = createTestClient();
    await test.client.append('a', 'x');
    test.server.sessions.expireAll();
    await settle(test, Promise.all([test.client.append('a', 'y'), test.client.append('a', 'z')]));
    expect(await test.client.getText('a')).toBe('xyz');
    expect(writesSent(test)).toEqual(['1/1', '1/2', '1/3', '2/1', '2/2']);
    expect(test.server.sessions.count).toBe(1);
  });

  it('is OUTCOME_UNKNOWN when its session expired while it may have been done, and the next write has a new session', async () => {
    const test = createTestClient();
    await test.client.append('a', 'x');
    fates(test, 'lose-request');
    const call = test.client.append('a', 'y');
    test.server.sessions.expireAll();
    await expect(settle(test, call)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      cause: { code: 'SESSION_EXPIRED' },
    });
    await settle(test, test.client.append('a', 'z'));
    expect(writesSent(test).at(-1)).toBe('2/1');
  });

  it('gives the refusal of an operation to its caller and sends nothing again', async () => {
    const test = createTestClient();
    fates(test, refused('INVALID_REQUEST'));
    await expect(test.client.append('a', 'x')).rejects.toMatchObject({ code: 'INVALID_REQUEST', answered: true });
    expect(writesSent(test)).toHaveLength(1);
  });

  it('stops after the attempts allowed', async () => {
    const test = createTestClient({ maxAttempts: 3 });
    const full = refused('RESOURCE_EXHAUSTED');
    fates(test, full, full, full, full);
    await expect(settle(test, test.client.append('a', 'x'))).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    expect(writesSent(test)).toHaveLength(3);
    const lost = createTestClient({ maxAttempts: 3 });
    fates(lost, 'lose-answer', 'lose-answer', 'lose-answer');
    await expect(settle(lost, lost.client.append('a', 'x'))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
  });

  it('opens one session for many first writes, and fails them unsent when none can be opened', async () => {
    const test = createTestClient();
    await Promise.all(Array.from({ length: 50 }, (_, i) => test.client.append(`${i}`, 'x')));
    expect(test.server.sessions.count).toBe(1);
    const denied = createTestClient();
    denied.transport.fate = ({ kind }) => (kind === 'unary' ? refused('PERMISSION_DENIED') : 'deliver');
    const failure = { code: 'PERMISSION_DENIED', sent: false, waitedIn: 'session' };
    await expect(denied.client.append('a', 'x')).rejects.toMatchObject(failure);
    expect(await denied.client.get('a')).toBeUndefined();
  });
});

describe('a write without session', () => {
  it('is never sent again once it may have been done', async () => {
    for (const fate of ['lose-request', 'lose-answer', refused('INTERNAL_ERROR')] as const) {
      const test = createTestClient({ sessions: false });
      fates(test, fate);
      await expect(settle(test, test.client.append('a', 'x'))).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      expect(writesSent(test)).toEqual(['0/0']);
    }
  });

  it('is sent again when nothing was done', async () => {
    const test = createTestClient({ sessions: false });
    fates(test, refused('CLUSTER_ERROR'));
    await settle(test, test.client.append('a', 'x'));
    expect(await test.client.getText('a')).toBe('x');
  });
});

describe('a broken stream', () => {
  it('is judged call by call: answered ones stand, others go again in their order', async () => {
    for (let point = 0; point < 6; point++) {
      for (const fate of ['lose-request', 'lose-answer'] as const) {
        const test = createTestClient();
        await test.client.append('a', '.');
        let seen = 0;
        test.transport.fate = ({ kind }) => (kind === 'pipeline' && seen++ === point ? fate : 'deliver');
        const calls = ['0', '1', '2', '3', '4', '5'].map((text) => test.client.append('a', text));
        await settle(test, Promise.all(calls));
        expect([point, fate, await test.client.getText('a')]).toEqual([point, fate, '.012345']);
      }
    }
  });

  it('does not touch reads beyond sending them again', async () => {
    const test = createTestClient();
    await test.client.put('a', '1');
    test.transport.holdAnswers = true;
    const call = test.client.getText('a');
    await test.clock.advance(0);
    test.transport.breakConnections();
    test.transport.holdAnswers = false;
    expect(await settle(test, call)).toBe('1');
  });
});

describe('endpoints', () => {
  it('are tried in turn, and the one that answers is kept', async () => {
    const test = createTestClient({ endpoints: ['a:1', 'b:1', 'c:1'] });
    test.transport.unreachable.add('a:1').add('b:1');
    await settle(test, test.client.put('a', '1'));
    await settle(test, test.client.status());
    expect(test.transport.connections).toEqual(['a:1', 'b:1', 'c:1', 'c:1', 'c:1']);
  });

  it('are left for the next when the node says that it cannot serve', async () => {
    const test = createTestClient({ endpoints: ['a:1', 'b:1'] });
    fates(test, refused('CLUSTER_ERROR'));
    await settle(test, test.client.get('a'));
    expect(test.transport.connections).toEqual(['a:1', 'b:1']);
  });

  it('are tried no more often than allowed, with growing pauses', async () => {
    const test = createTestClient({ maxAttempts: 4, random: { ...one } });
    test.transport.unreachable.add('a:1');
    const failed = expect(test.client.get('a')).rejects.toMatchObject({ code: 'SERVICE_UNAVAILABLE', sent: false });
    const counts: number[] = [];
    for (const ms of [0, 24, 25, 50, 100]) {
      await test.clock.advance(ms);
      counts.push(test.transport.connections.length);
    }
    await failed;
    expect(counts).toEqual([1, 1, 2, 3, 4]);
  });
});

/** Randomness that always says one half short of everything. */
const one = {
  uint32: () => 0xffff_ffff,
  float: () => 1,
  below: (limit: number) => limit - 1,
  bytes: () => new Uint8Array(),
};

describe('an append to a log', () => {
  it('is sent again only with a producer, and is then there once', async () => {
    for (const producer of [undefined, { producerId: 7, epoch: 1, sequence: 1 }]) {
      const test = createTestClient();
      await test.client.log.create('events');
      let lost = false;
      test.transport.fate = (each) => {
        if (lost || each.kind !== 'unary' || each.method !== 'appendLog') return 'deliver';
        lost = true;
        return 'lose-answer';
      };
      const call = settle(test, test.client.log.append('events', 'x', producer === undefined ? {} : { producer }));
      if (producer === undefined) await expect(call).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      else expect(await call).toMatchObject({ firstSequence: 1, duplicate: true });
      expect((await test.client.log.read('events')).lastSequence).toBe(1);
    }
  });
});
