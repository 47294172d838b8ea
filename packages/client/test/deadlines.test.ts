import { describe, expect, it } from 'vitest';
import { ClientError } from '../src/index.js';
import { createTestClient } from '../src/testing/test-client.js';

/** What became of a promise that need not settle. */
function watchOutcome(promise: Promise<unknown>): { value?: unknown; error?: unknown; settled: boolean } {
  const outcome: { value?: unknown; error?: unknown; settled: boolean } = { settled: false };
  promise.then(
    (value) => Object.assign(outcome, { value, settled: true }),
    (error: unknown) => Object.assign(outcome, { error, settled: true }),
  );
  return outcome;
}

describe('a deadline', () => {
  it('ends a read that is not answered with DEADLINE_EXCEEDED, not a millisecond early', async () => {
    const { client, transport, clock } = createTestClient();
    transport.fate = () => 'stall';
    const outcome = watchOutcome(client.get('a', { timeoutMs: 100 }));
    await clock.advance(99);
    expect(outcome.settled).toBe(false);
    await clock.advance(1);
    expect(outcome.error).toMatchObject({ code: 'DEADLINE_EXCEEDED', sent: true, waitedIn: 'answer' });
    expect(clock.pending).toBe(0);
  });

  it('ends a write that is not answered with OUTCOME_UNKNOWN, with and without session', async () => {
    for (const sessions of [true, false]) {
      const { client, transport, clock } = createTestClient({ sessions });
      transport.fate = ({ kind }) => (kind === 'pipeline' ? 'stall' : 'deliver');
      const outcome = watchOutcome(client.put('a', '1', { timeoutMs: 100 }));
      await clock.advance(100);
      expect(outcome.error).toMatchObject({ code: 'OUTCOME_UNKNOWN', details: { reason: 'deadline' } });
    }
  });

  it('ends what was never sent as not done: without connection, behind others, without session', async () => {
    const unconnected = createTestClient({ maxAttempts: 1_000 });
    unconnected.transport.unreachable.add('a:1');
    const noConnection = watchOutcome(unconnected.client.put('a', '1', { timeoutMs: 100 }));
    await unconnected.clock.advance(100);
    expect(noConnection.error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', sent: false, waitedIn: 'connection' });

    const busy = createTestClient({ maxInFlightRequests: 1 });
    busy.transport.fate = () => 'stall';
    const first = watchOutcome(busy.client.get('a'));
    const behind = watchOutcome(busy.client.get('b', { timeoutMs: 100 }));
    await busy.clock.advance(100);
    expect(behind.error).toMatchObject({ code: 'DEADLINE_EXCEEDED', sent: false, waitedIn: 'queue' });
    expect(first.settled).toBe(false);

    const sessionless = createTestClient();
    sessionless.transport.fate = ({ kind }) => (kind === 'unary' ? 'stall' : 'deliver');
    const noSession = watchOutcome(sessionless.client.put('a', '1', { timeoutMs: 100 }));
    await sessionless.clock.advance(100);
    expect(noSession.error).toMatchObject({ code: 'DEADLINE_EXCEEDED', sent: false, waitedIn: 'session' });
  });

  it('that ends between two attempts at a connection says that there was none', async () => {
    const { client, transport, clock } = createTestClient({ firstRetryDelayMs: 10_000, maxRetryDelayMs: 10_000 });
    transport.unreachable.add('a:1');
    const outcome = watchOutcome(client.status({ timeoutMs: 100 }));
    await clock.advance(100);
    expect(outcome.error).toMatchObject({ code: 'SERVICE_UNAVAILABLE', sent: false, waitedIn: 'back-off' });
  });

  it('holds over all attempts of a call', async () => {
    const { client, transport, clock } = createTestClient({ maxAttempts: 1_000 });
    transport.fate = () => new ClientError('RESOURCE_EXHAUSTED', 'full', { answered: true });
    const outcome = watchOutcome(client.get('a', { timeoutMs: 3_000 }));
    await clock.advance(2_999);
    expect(outcome.settled).toBe(false);
    await clock.advance(1);
    // Nothing was done, and why says more than that time ran out.
    expect(outcome.error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', retryable: true, waitedIn: 'back-off' });
  });

  it('holds for calls to logs and the node', async () => {
    const { client, transport, clock } = createTestClient();
    transport.fate = () => 'stall';
    const read = watchOutcome(client.log.read('events', { timeoutMs: 100 }));
    const append = watchOutcome(client.log.append('events', 'x', { timeoutMs: 100 }));
    const status = watchOutcome(client.status());
    await clock.advance(100);
    expect(read.error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(append.error).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(status.settled).toBe(false);
    await clock.advance(4_900);
    expect(status.error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('frees the place of a call given up, and an answer that comes late meets nobody', async () => {
    const { client, transport, clock } = createTestClient({ maxInFlightRequests: 1 });
    await client.put('a', '1');
    transport.holdAnswers = true;
    const outcome = watchOutcome(client.get('a', { timeoutMs: 100 }));
    await clock.advance(100);
    expect(outcome.error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    const next = client.get('b');
    await clock.advance(0);
    transport.holdAnswers = false;
    expect(await next).toBeUndefined();
  });
});

describe('an abort signal', () => {
  it('ends a call in any stage, and says whether a write may have been done', async () => {
    const { client, transport, clock } = createTestClient({ maxInFlightRequests: 1 });
    await client.put('open', 'session');
    transport.fate = () => 'stall';
    const sent = new AbortController();
    const queued = new AbortController();
    const reason = new Error('enough');
    const first = watchOutcome(client.put('a', '1', { signal: sent.signal }));
    const second = watchOutcome(client.put('b', '1', { signal: queued.signal }));
    await clock.advance(0);
    queued.abort(reason);
    await clock.advance(0);
    expect(second.error).toMatchObject({ code: 'CANCELLED', sent: false, waitedIn: 'queue', cause: reason });
    expect(first.settled).toBe(false);
    sent.abort(reason);
    await clock.advance(0);
    expect(first.error).toMatchObject({ code: 'OUTCOME_UNKNOWN', sent: true, waitedIn: 'answer', cause: reason });
    expect(clock.pending).toBe(0);
  });

  it('that aborted before refuses the call, and nothing is sent', async () => {
    const { client, transport } = createTestClient();
    const signal = AbortSignal.abort();
    await expect(client.get('a', { signal })).rejects.toMatchObject({ code: 'CANCELLED', sent: false });
    await expect(client.status({ signal })).rejects.toMatchObject({ code: 'CANCELLED', sent: false });
    expect(transport.messages).toHaveLength(0);
  });

  it('ends ranges, tails and watches', async () => {
    const { client, clock } = createTestClient();
    await client.log.create('events');
    for (const open of [
      (signal: AbortSignal) => client.watch({ signal }),
      (signal: AbortSignal) => client.log.tail('events', { signal }),
    ]) {
      const controller = new AbortController();
      const outcome = watchOutcome(drain(open(controller.signal)));
      await clock.advance(0);
      expect(outcome.settled).toBe(false);
      controller.abort();
      await clock.advance(0);
      expect(outcome.error).toMatchObject({ code: 'CANCELLED' });
    }
    await expect(drain(client.range({ signal: AbortSignal.abort() }))).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _item of items);
}
