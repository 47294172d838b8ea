/** Watches at a replica that is behind others: of the data, of the catalogue. */
import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { ChangeRing } from '../apply/change-ring.js';
import { defaultLimits } from '../limits.js';
import type { Replica } from '../raft/replica.js';
import type { WatchPage } from './key-value-requests.js';
import { type WatchedRange, watchPages } from './watch-pages.js';
import { encodeWatchPosition } from './watch-position.js';

const change = (revision: number, keyspaceId: number) => ({
  keyspaceId,
  type: 'put' as const,
  key: Buffer.from(`k${revision}`),
  value: Buffer.from('v'),
  revision,
  expiresAtMs: 0,
});

const position = (revision: number) => encodeWatchPosition([{ groupId: 1, revision }]);

function behind(ring: ChangeRing, parts: Partial<WatchedRange>, catchesUpTo?: () => void) {
  const replica = { groupId: 1, state: { changes: ring }, readBarrier: async () => catchesUpTo?.() };
  return {
    replica: replica as unknown as Replica,
    keyspaceId: () => 0,
    catchUp: async () => undefined,
    request: { keyspace: '' },
    limits: defaultLimits,
    clock: createManualClock(),
    ...parts,
  };
}

async function next(pages: AsyncGenerator<WatchPage>) {
  const { value } = await pages.next();
  return (value as WatchPage).events.map(({ revision }) => revision);
}

test('a position that another replica gave out is good here, once this one has caught up', async () => {
  const ring = new ChangeRing({ maxChanges: 100, maxBytes: 1 << 20 }, 3);
  const request = { keyspace: '', position: position(5) };
  const watch = behind(ring, { request }, () => ring.publish([change(4, 0), change(5, 0), change(6, 0)], 6));
  const pages = watchPages(watch, new AbortController().signal);
  expect(await next(pages)).toEqual([]);
  expect(await next(pages)).toEqual([6]);
});

test('a position beyond everything that is committed is of another history', async () => {
  const ring = new ChangeRing({ maxChanges: 100, maxBytes: 1 << 20 }, 3);
  const pages = watchPages(
    behind(ring, { request: { keyspace: '', position: position(5) } }),
    new AbortController().signal,
  );
  await expect(pages.next()).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
});

test('a position whose changes are not kept is refused before any page says that it goes on here', async () => {
  const ring = new ChangeRing({ maxChanges: 2, maxBytes: 1 << 20 }, 3);
  ring.publish([change(4, 0), change(5, 0), change(6, 0)], 6);
  const pages = watchPages(
    behind(ring, { request: { keyspace: '', position: position(3) } }),
    new AbortController().signal,
  );
  await expect(pages.next()).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
});

test('a change of a keyspace that this node does not know yet is not passed over', async () => {
  const ring = new ChangeRing({ maxChanges: 100, maxBytes: 1 << 20 }, 0);
  const known = new Map<string, number>();
  const watch = behind(ring, {
    request: { keyspace: 'new' },
    keyspaceId: () => known.get('new'),
    async catchUp() {
      known.set('new', 7);
      // What comes while the node catches up may be of a keyspace that it still does not know.
      if (ring.revision < 3) ring.publish([change(3, 7)], 3);
    },
  });
  const pages = watchPages(watch, new AbortController().signal);
  expect(await next(pages)).toEqual([]);
  ring.publish([change(1, 0), change(2, 7)], 2);
  expect(await next(pages)).toEqual([2]);
  expect(await next(pages)).toEqual([3]);
});

test('a watcher that sees nothing but changes of others is told how far it has come, a second later', async () => {
  const ring = new ChangeRing({ maxChanges: 100, maxBytes: 1 << 20 }, 0);
  const clock = createManualClock();
  const pages = watchPages(behind(ring, { clock }), new AbortController().signal);
  await next(pages);
  ring.publish([change(1, 5)], 1);
  const mark = pages.next();
  await clock.advance(600);
  ring.publish([change(2, 5)], 2);
  await clock.advance(399);
  expect(await Promise.race([mark, 'nothing'])).toBe('nothing');
  await clock.advance(1);
  expect((await mark).value).toEqual({ events: [], position: position(2) });
  // Told once: nothing more comes while nothing happens.
  const event = next(pages);
  await clock.advance(5_000);
  ring.publish([change(3, 0)], 3);
  expect(await event).toEqual([3]);
});

test('a watch that ends here says how far it came, to go on elsewhere', async () => {
  const ring = new ChangeRing({ maxChanges: 100, maxBytes: 1 << 20 }, 0);
  const closing = new AbortController();
  const pages = watchPages(behind(ring, {}), closing.signal);
  await next(pages);
  const last = pages.next();
  await new Promise((resolve) => setImmediate(resolve));
  ring.publish([change(1, 5), change(2, 5)], 2);
  await new Promise((resolve) => setImmediate(resolve));
  closing.abort();
  expect((await last).value).toEqual({ events: [], position: position(2) });
  expect((await pages.next()).done).toBe(true);
});
