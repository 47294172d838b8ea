import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { Broadcast } from '../apply/broadcast.js';
import { ServerError } from '../requests/server-error.js';
import { hereOrAtLeader } from './here-or-at-leader.js';
import { LeaderPatience } from './leader-patience.js';

function fixture(mayForward = true) {
  const clock = createManualClock();
  const changed = new Broadcast();
  const closing = new AbortController();
  const patience = new LeaderPatience({ clock, changed, patienceMs: 1000, closed: closing.signal });
  const context = { signal: new AbortController().signal, isCancelled: false, correlationId: 'c', mayForward };
  return { clock, changed, closing, patience, context };
}

const leaderless = () => new ServerError('CLUSTER_ERROR', 'no leader');
const atLeader = () => Promise.reject(new ServerError('CLUSTER_ERROR', 'not reached'));

/** Lets what was woken run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

test('a request that finds no leader is done when there is one', async () => {
  const { changed, patience, context } = fixture();
  let leads = false;
  const here = async () => {
    if (!leads) throw leaderless();
    return 'done';
  };
  const result = hereOrAtLeader(context, here, atLeader, patience);
  await settled();
  leads = true;
  changed.notify();
  expect(await result).toBe('done');
});

test('a leader that is gone is asked no more once another one is named', async () => {
  const { clock, patience, context } = fixture();
  const named = ['gone:1', 'next:1'];
  const here = async () => {
    throw new ServerError('CLUSTER_ERROR', 'x', { details: { leaderNodeId: 2, leader: named[0] as string } });
  };
  const there = async (leader: string) => {
    named.shift();
    if (leader === 'gone:1') throw new ServerError('SERVICE_UNAVAILABLE', 'it is closing; nothing was done');
    return leader;
  };
  const result = hereOrAtLeader(context, here, there, patience);
  await settled();
  await clock.advance(60);
  expect(await result).toBe('next:1');
});

test.each([
  ['patience is at its end', true, 'CLUSTER_ERROR', 2000],
  ['the caller knows the nodes itself', false, 'CLUSTER_ERROR', 0],
  ['something may have been done', true, 'OUTCOME_UNKNOWN', 0],
  ['it is refused for what it is', true, 'INVALID_REQUEST', 0],
] as const)('where %s, it is refused', async (_, mayForward, code, afterMs) => {
  const { clock, patience, context } = fixture(mayForward);
  const result = patience.run(context, () => Promise.reject(new ServerError(code, 'no')));
  const outcome = expect(result).rejects.toMatchObject({ code });
  for (let ms = 0; ms < afterMs; ms += 50) {
    await clock.advance(50);
    await settled();
  }
  await outcome;
});

test('a node that closes holds nobody', async () => {
  const { changed, closing, patience, context } = fixture();
  const result = patience.run(context, () => Promise.reject(leaderless()));
  const outcome = expect(result).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await settled();
  closing.abort();
  changed.notify();
  await outcome;
});

test('pages are begun again until the first has come, and not behind it', async () => {
  const { changed, patience, context } = fixture();
  let attempts = 0;
  async function* open() {
    if (attempts++ === 0) throw leaderless();
    yield 'first';
    throw leaderless();
  }
  const seen: string[] = [];
  const read = async () => {
    for await (const page of patience.pages(context, open)) seen.push(page);
  };
  const outcome = expect(read()).rejects.toMatchObject({ code: 'CLUSTER_ERROR' });
  await settled();
  changed.notify();
  await outcome;
  expect([seen, attempts]).toEqual([['first'], 2]);
});
