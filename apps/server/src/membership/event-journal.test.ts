import { createManualClock } from '@shanghai/env/testing';
import { expect, it } from 'vitest';
import { EventJournal } from './event-journal.js';

const event = (nodeId: number) => ({ type: 'up', nodeId, name: 'n', address: 'h:1', before: '', detail: '' });

it('numbers events, and gives those behind a number, the oldest first', () => {
  const journal = new EventJournal(createManualClock(1_000));
  for (const nodeId of [4, 5, 6]) journal.add(event(nodeId));
  expect(journal.page(0, 9).events.map(({ number, nodeId, atMs }) => [number, nodeId, atMs])).toEqual([
    [1, 4, 1_000],
    [2, 5, 1_000],
    [3, 6, 1_000],
  ]);
  expect(journal.page(1, 1)).toMatchObject({ events: [{ number: 2 }], last: 3 });
  expect(journal.page(3, 9)).toEqual({ events: [], last: 3 });
});

it('takes a number of an earlier start for 0', () => {
  const journal = new EventJournal(createManualClock());
  journal.add(event(4));
  expect(journal.page(77, 9).events).toHaveLength(1);
});

it('keeps the last thousand', () => {
  const journal = new EventJournal(createManualClock());
  for (let i = 0; i < 1_500; i++) journal.add(event(4));
  const { events, last } = journal.page(0, 5_000);
  expect([events.length, events[0]?.number, last]).toEqual([1_000, 501, 1_500]);
});

it('wakes who waits for the next one, at the end of its time, and at the end', async () => {
  const clock = createManualClock();
  const journal = new EventJournal(clock);
  const woken: string[] = [];
  const wait = (name: string, after: number, ms: number) => void journal.wait(after, ms).then(() => woken.push(name));
  wait('news', 0, 30_000);
  await clock.advance(100);
  expect(woken).toEqual([]);
  journal.add(event(4));
  await clock.advance(0);
  expect(woken).toEqual(['news']);
  wait('there', 0, 30_000);
  wait('late', 1, 5_000);
  await clock.advance(4_900);
  expect(woken).toEqual(['news', 'there']);
  await clock.advance(100);
  expect(woken).toEqual(['news', 'there', 'late']);
  wait('closed', 1, 30_000);
  journal.close();
  await clock.advance(0);
  expect([woken.at(-1), clock.pending]).toEqual(['closed', 0]);
});
