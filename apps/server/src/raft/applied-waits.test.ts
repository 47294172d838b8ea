import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { Broadcast } from '../apply/broadcast.js';
import { ServerError } from '../requests/server-error.js';
import { AppliedWaits } from './applied-waits.js';

function waitsAt(applied: number) {
  const clock = createManualClock();
  const published = new Broadcast();
  const state = { applied, failure: undefined as ServerError | undefined };
  const waits = new AppliedWaits({
    groupId: 3,
    published,
    appliedIndex: () => state.applied,
    failure: () => state.failure,
    clock,
    timeoutMs: 100,
  });
  const apply = (index: number) => {
    state.applied = index;
    published.notify();
  };
  return { clock, published, state, waits, apply };
}

/** Where each wait stands: `true` resolved, a code rejected, `undefined` still waiting. */
function watched(...waits: Promise<void>[]) {
  const ends: (true | string | undefined)[] = waits.map(() => undefined);
  for (const [i, wait] of waits.entries()) {
    wait.then(
      () => {
        ends[i] = true;
      },
      (error: ServerError) => {
        ends[i] = error.code;
      },
    );
  }
  return ends;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a wait ends when its entry is applied, and not before', async () => {
  const { waits, apply } = waitsAt(5);
  const ends = watched(waits.until(5), waits.until(7), waits.until(6), waits.until(9));
  await turn();
  expect(ends).toEqual([true, undefined, undefined, undefined]);
  apply(6);
  await turn();
  expect(ends).toEqual([true, undefined, true, undefined]);
  apply(9);
  await turn();
  expect(ends).toEqual([true, true, true, true]);
});

test('where applying is stuck, each wait ends at its own time and says where it waited', async () => {
  const { waits, apply, clock } = waitsAt(5);
  const first = waits.until(6);
  const ends = watched(first);
  await clock.advance(60);
  const later = watched(waits.until(6), waits.until(8));
  await clock.advance(40);
  expect([...ends, ...later]).toEqual(['CLUSTER_ERROR', undefined, undefined]);
  await expect(first).rejects.toMatchObject({
    message: expect.stringContaining('waited 100 ms for entry 6 to be applied here, where 5 is'),
    details: { waitedIn: 'applied', index: 6, appliedIndex: 5 },
  });
  apply(6);
  await clock.advance(60);
  expect(later).toEqual([true, 'CLUSTER_ERROR']);
  // And it begins anew.
  const again = watched(waits.until(7));
  await clock.advance(99);
  expect(again).toEqual([undefined]);
  apply(7);
  await turn();
  expect(again).toEqual([true]);
});

test('a group that failed, and one that closes, leave nobody waiting', async () => {
  const { waits, state, published } = waitsAt(5);
  const ends = watched(waits.until(6));
  state.failure = new ServerError('SERVICE_UNAVAILABLE', 'failed');
  published.notify();
  await turn();
  expect(ends).toEqual(['SERVICE_UNAVAILABLE']);
  const other = waitsAt(5);
  const closed = watched(other.waits.until(6));
  other.waits.close(new ServerError('SERVICE_UNAVAILABLE', 'closing'));
  await turn();
  expect([...closed, ...watched(other.waits.until(5))]).toEqual(['SERVICE_UNAVAILABLE', undefined]);
  await expect(other.waits.until(6)).rejects.toMatchObject({ message: 'closing' });
});
