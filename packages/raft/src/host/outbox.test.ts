import { createManualClock } from '@shanghai/env/testing';
import { expect, test } from 'vitest';
import { createMessage, type MessageFields } from '../core/message.js';
import type { PeerFrame, PeerTransport } from '../ports/peer-transport.js';
import { Outbox } from './outbox.js';

const entry = { index: 7, term: 2, type: 'EntryNormal', data: Uint8Array.of(7) } as const;

/** An outbox, and what left it as `node: group type commit …` for each frame. */
function outboxOf(commitDelayMs = 5) {
  const clock = createManualClock();
  const frames: string[] = [];
  const transport = {
    send: (nodeId: number, { messages }: PeerFrame) => {
      const texts = messages.map(({ groupId, message }) => `${groupId} ${message.type} ${message.commit}`);
      frames.push(`${nodeId}: ${texts.join(', ')}`);
    },
  } as unknown as PeerTransport;
  const outbox = new Outbox(transport, clock, commitDelayMs);
  const send = (groupId: number, fields: MessageFields) => outbox.send(groupId, createMessage(fields));
  const left = () => frames.splice(0);
  return { clock, outbox, send, left };
}

test('news of a commit waits for company, and goes by itself when its time is over', async () => {
  const { clock, outbox, send, left } = outboxOf();
  send(1, { type: 'MsgApp', to: 2, commit: 6 });
  send(1, { type: 'MsgApp', to: 3, commit: 6 });
  outbox.flush();
  await clock.advance(4);
  expect(left()).toEqual([]);
  send(1, { type: 'MsgApp', to: 2, commit: 7 });
  outbox.flush();
  await clock.advance(1);
  expect(left()).toEqual(['2: 1 MsgApp 7', '3: 1 MsgApp 6']);
  expect(clock.pending).toBe(0);
});

test('an append of the same group to the same node takes the place of what waits', async () => {
  const { clock, outbox, send, left } = outboxOf();
  send(1, { type: 'MsgApp', to: 2, commit: 6 });
  send(2, { type: 'MsgApp', to: 2, commit: 16 });
  outbox.flush();
  send(1, { type: 'MsgApp', to: 2, commit: 6, entries: [entry] });
  outbox.flush();
  await clock.advance(10);
  expect(left()).toEqual(['2: 2 MsgApp 16, 1 MsgApp 6']);
});

test('what goes to a node carries the news before it, an answer to a read above all', () => {
  const { outbox, send, left } = outboxOf();
  send(1, { type: 'MsgApp', to: 2, commit: 6 });
  outbox.flush();
  send(1, { type: 'MsgReadIndexResp', to: 2, index: 6 });
  outbox.flush();
  expect(left()).toEqual(['2: 1 MsgApp 6, 1 MsgReadIndexResp 0']);
  send(1, { type: 'MsgApp', to: 2, commit: 7 });
  outbox.flush([2, 3]);
  expect(left()).toEqual(['2: 1 MsgApp 7', '3: ']);
});

test('nothing waits without a delay, nor once it is closed', () => {
  const eager = outboxOf(0);
  eager.send(1, { type: 'MsgApp', to: 2, commit: 6 });
  eager.outbox.flush();
  expect(eager.left()).toEqual(['2: 1 MsgApp 6']);
  const { clock, outbox, send, left } = outboxOf();
  send(1, { type: 'MsgApp', to: 2, commit: 6 });
  outbox.flush();
  outbox.close();
  expect(left()).toEqual(['2: 1 MsgApp 6']);
  send(1, { type: 'MsgApp', to: 2, commit: 7 });
  outbox.flush();
  expect(left()).toEqual(['2: 1 MsgApp 7']);
  expect(clock.pending).toBe(0);
});
