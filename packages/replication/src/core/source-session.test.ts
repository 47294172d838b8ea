import { beforeEach, expect, test } from 'vitest';
import { packEntries } from './run.js';
import { type SourceEffect, SourceSession } from './source-session.js';
import type { OriginMark } from './stream-position.js';
import { VersionVector } from './version-vector.js';

const zero = { ms: 0, counter: 0 };
let held: VersionVector;
let marks: Map<number, OriginMark>;
let session: SourceSession;

beforeEach(() => {
  held = new VersionVector();
  marks = new Map();
  session = new SourceSession({ held, marks, runBytes: 1_000, maxBehindLogs: 10 });
});

function hold(logId: number, lastSequence: number) {
  const position = { stream: { logId, origin: 1, epoch: 1 }, firstSequence: 1, lastSequence, lastHlc: zero };
  held.set(position);
  return session.step({ type: 'held', positions: [position] });
}

/** Answers reads with one entry each, until nothing is read; gives what was sent, as `log:sequence`. */
function pump(effects: readonly SourceEffect[]): string[] {
  const sent: string[] = [];
  let waiting = [...effects];
  while (waiting.length > 0) {
    const next: SourceEffect[] = [];
    for (const effect of waiting) {
      if (effect.type === 'send' && effect.message.type === 'run') {
        sent.push(`${effect.message.run.stream.logId}:${effect.message.run.firstSequence}`);
      } else if (effect.type === 'send') sent.push(effect.message.type);
      if (effect.type !== 'read') continue;
      const { stream, from } = effect;
      const run = { stream, firstSequence: from, count: 1, lastHlc: zero, bytes: packEntries([new Uint8Array(10)]) };
      next.push(...session.step({ type: 'readDone', stream, result: { type: 'run', run } }));
    }
    waiting = next;
  }
  return sent;
}

function openSession(entries = 100) {
  return [
    ...session.step({ type: 'positions', positions: [], isComplete: true }),
    ...session.step({ type: 'grant', entries, bytes: 10_000 }),
    ...session.step({ type: 'want', origins: [1] }),
  ];
}

test('nothing is read before there is credit, and before the follower has said all that it has', () => {
  expect(hold(7, 3)).toEqual([]);
  expect(session.step({ type: 'want', origins: [1] })).toEqual([]);
  expect(session.step({ type: 'grant', entries: 2, bytes: 1_000 })).toEqual([]);
  expect(session.step({ type: 'positions', positions: [], isComplete: false })).toEqual([]);
  expect(pump(session.step({ type: 'positions', positions: [], isComplete: true }))).toEqual(['7:1', '7:2']);
  expect(session.isBlocked).toBe(true);
  expect(pump(session.step({ type: 'grant', entries: 2, bytes: 28 }))).toEqual(['7:3']);
});

test('streams take turns: one with much does not keep the others waiting', () => {
  hold(7, 5);
  hold(8, 2);
  hold(9, 1);
  expect(pump(openSession())).toEqual(['7:1', '8:1', '9:1', '7:2', '8:2', '7:3', '7:4', '7:5']);
});

test('a follower that is paused, or whose lane is full, is sent nothing, and then all of it', () => {
  hold(7, 1);
  session.step({ type: 'pause', isPaused: true });
  expect(pump(openSession())).toEqual([]);
  session.step({ type: 'full', isFull: true });
  expect(pump(session.step({ type: 'pause', isPaused: false }))).toEqual([]);
  expect(pump(session.step({ type: 'full', isFull: false }))).toEqual(['7:1']);
});

test('what the follower has meanwhile from elsewhere is not sent, what is no longer wanted neither', () => {
  hold(7, 4);
  const opened = openSession(1);
  expect(pump(opened)).toEqual(['7:1']);
  const told = { stream: { logId: 7, origin: 1, epoch: 1 }, firstSequence: 1, lastSequence: 3, lastHlc: zero };
  session.step({ type: 'positions', positions: [told], isComplete: true });
  expect(pump(session.step({ type: 'grant', entries: 1, bytes: 14 }))).toEqual(['7:4']);
  session.step({ type: 'want', origins: [] });
  session.step({ type: 'grant', entries: 1, bytes: 14 });
  expect(pump(hold(7, 5))).toEqual([]);
});

test('a mark names the logs of which something has not gone out, and is not sent again when it says nothing new', () => {
  const mark = { origin: 1, hlc: { ms: 9, counter: 0 }, behind: [] };
  marks.set(1, mark);
  hold(7, 3);
  hold(8, 1);
  expect(pump(openSession(2))).toEqual(['7:1', '8:1']);
  const sent = (effects: readonly SourceEffect[]) =>
    effects.flatMap((effect) =>
      effect.type === 'send' && effect.message.type === 'mark' ? [effect.message.mark] : [],
    );
  expect(sent(session.step({ type: 'tick' }))).toEqual([{ ...mark, behind: [{ logId: 7, hlc: zero }] }]);
  expect(sent(session.step({ type: 'tick' }))).toEqual([]);
  expect(pump(session.step({ type: 'grant', entries: 2, bytes: 28 }))).toEqual(['7:2', '7:3']);
  expect(sent(session.step({ type: 'tick' }))).toEqual([mark]);
});
