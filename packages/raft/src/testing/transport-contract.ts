import type { ContractCase } from '@shanghai/env/testing';
import { emptyConfState } from '../core/configuration/configuration.js';
import { noData } from '../core/entry.js';
import { createMessage, type Message } from '../core/message.js';
import type { Transport, TransportHandlers } from '../ports/transport.js';

/** What a case runs against: the transports of nodes 1 and 2, not opened; nobody has the id 3. */
export interface TransportSubject {
  readonly first: Transport;
  readonly second: Transport;
  /** Waits until everything that was sent has arrived, or will not. */
  settle(): Promise<void>;
}

/** Notes what it is told. */
class Notes implements TransportHandlers {
  readonly messages: Message[] = [];
  readonly unreachable: number[] = [];
  readonly snapshots: (readonly [number, boolean])[] = [];

  onMessage(message: Message): void {
    this.messages.push(message);
  }

  onUnreachable(id: number): void {
    this.unreachable.push(id);
  }

  onSnapshotSent(id: number, isSent: boolean): void {
    this.snapshots.push([id, isSent]);
  }
}

const append = (to: number, index: number) =>
  createMessage({
    type: 'MsgApp',
    from: 1,
    to,
    term: 7,
    logTerm: 6,
    index,
    commit: 3,
    entries: [{ index: index + 1, term: 7, type: 'EntryNormal', data: Uint8Array.of(1, 2, 255) }],
  });
const snapshotTo = (to: number) => {
  const metadata = { index: 9, term: 2, confState: { ...emptyConfState, voters: [1, 2] } };
  return createMessage({ type: 'MsgSnap', from: 1, to, term: 7, snapshot: { metadata, data: noData } });
};

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

/** What every `Transport` does where nothing goes wrong in between. */
export const transportContract: readonly ContractCase<TransportSubject>[] = [
  contractCase('carries messages whole, both ways', async ({ first, second, settle }, one, two) => {
    const sent = [append(2, 4), append(2, 5)];
    first.send(sent);
    await settle();
    same(
      [...two.messages].sort((a, b) => a.index - b.index),
      sent,
    );
    second.send([createMessage({ type: 'MsgAppResp', from: 2, to: 1, term: 7, index: 6 })]);
    await settle();
    same(
      one.messages.map(({ type, index }) => [type, index]),
      [['MsgAppResp', 6]],
    );
  }),
  contractCase('hands nothing out from within send', async ({ first, settle }, one, two) => {
    first.send([append(2, 1), append(3, 1)]);
    same([one.unreachable.length, two.messages.length], [0, 0]);
    await settle();
    same(two.messages.length, 1);
  }),
  contractCase('says who cannot be reached', async ({ first, settle }, one) => {
    first.send([append(3, 1)]);
    await settle();
    same([...new Set(one.unreachable)], [3]);
  }),
  contractCase('says once how the carrying of each snapshot ended', async ({ first, settle }, one, two) => {
    first.send([snapshotTo(2), snapshotTo(3)]);
    await settle();
    same(two.messages, [snapshotTo(2)]);
    same(
      [...one.snapshots].sort((a, b) => a[0] - b[0]),
      [
        [2, true],
        [3, false],
      ],
    );
  }),
  contractCase(
    'carries nothing more when it is closed, and may be closed again',
    async ({ first, second, settle }, one, two) => {
      await second.close();
      await second.close();
      first.send([append(2, 1)]);
      second.send([createMessage({ type: 'MsgAppResp', from: 2, to: 1, term: 7 })]);
      await settle();
      same([one.messages.length, two.messages.length, [...new Set(one.unreachable)]], [0, 0, [2]]);
    },
  ),
];

function contractCase(
  name: string,
  check: (subject: TransportSubject, one: Notes, two: Notes) => Promise<void>,
): ContractCase<TransportSubject> {
  return {
    name,
    run: async (open) => {
      const subject = await open();
      const [one, two] = [new Notes(), new Notes()];
      subject.first.open(one);
      subject.second.open(two);
      try {
        await check(subject, one, two);
      } finally {
        await subject.first.close();
        await subject.second.close();
      }
    },
  };
}
