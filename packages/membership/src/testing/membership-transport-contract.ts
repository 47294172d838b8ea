import type { ContractCase } from '@shanghai/env/testing';
import type { Destination } from '../core/message.js';
import type { MembershipTransport } from '../ports/membership-transport.js';

/** What a case runs against: the transports of nodes 1 and 2, not opened; nobody is at `nowhere`. */
export interface MembershipTransportSubject {
  readonly first: MembershipTransport;
  readonly second: MembershipTransport;
  readonly firstAddress: string;
  readonly secondAddress: string;
  readonly nowhere: string;
  /** Waits until `isDone`, which it asks again and again; fails where that does not come. */
  until(isDone: () => boolean): Promise<void>;
}

interface Heard {
  readonly from: number;
  readonly bytes: readonly number[];
}

/** What every `MembershipTransport` does where nothing goes wrong in between. */
export const membershipTransportContract: readonly ContractCase<MembershipTransportSubject>[] = [
  contractCase('carries frames both ways, and says from whom', async (subject, one, two) => {
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, [1, 2, 3]);
    await untilHeard(subject, subject.second, { nodeId: 1, address: subject.firstAddress }, one, [4]);
    same(
      [two[0], one[0]],
      [
        { from: 1, bytes: [1, 2, 3] },
        { from: 2, bytes: [4] },
      ],
    );
  }),
  contractCase('reaches whoever is at an address', async (subject, _one, two) => {
    await untilHeard(subject, subject.first, { nodeId: 0, address: subject.secondAddress }, two, [7]);
    same(two[0], { from: 1, bytes: [7] });
  }),
  contractCase('carries nothing to another node than was meant', async (subject, _one, two) => {
    subject.first.send({ nodeId: 3, address: subject.secondAddress }, Uint8Array.of(9));
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, [1]);
    same(
      two.some(({ bytes }) => bytes[0] === 9),
      false,
    );
  }),
  contractCase('carries a frame of a megabyte', async (subject, _one, two) => {
    const bytes = Array.from({ length: 1_048_576 }, (_, i) => (i * 31) % 251);
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, bytes);
    same(JSON.stringify(two[0]?.bytes) === JSON.stringify(bytes), true);
  }),
  contractCase('loses without a word what goes nowhere', async (subject, _one, two) => {
    subject.first.send({ nodeId: 3, address: subject.nowhere }, Uint8Array.of(1));
    subject.first.send({ nodeId: 4, address: 'no address' }, Uint8Array.of(1));
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, [5]);
  }),
  contractCase('hands nothing out from within send', async (subject, _one, two) => {
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, [1]);
    const before = two.length;
    subject.first.send({ nodeId: 2, address: subject.secondAddress }, Uint8Array.of(2));
    same(two.length, before);
  }),
  contractCase('carries nothing more when it is closed, and may be closed again', async (subject, one, two) => {
    await untilHeard(subject, subject.first, { nodeId: 2, address: subject.secondAddress }, two, [1]);
    await subject.second.close();
    await subject.second.close();
    const before = two.length;
    subject.second.send({ nodeId: 1, address: subject.firstAddress }, Uint8Array.of(8));
    let asked = 0;
    await subject.until(() => ++asked > 10);
    same([one.length, two.length], [0, before]);
  }),
];

/** Sends until it has come: a transport may lose what is sent while it makes its connection. */
async function untilHeard(
  { until }: MembershipTransportSubject,
  from: MembershipTransport,
  to: Destination,
  heard: readonly Heard[],
  bytes: readonly number[],
): Promise<void> {
  const before = heard.length;
  await until(() => {
    if (heard.length > before) return true;
    from.send(to, Uint8Array.from(bytes));
    return false;
  });
}

/** Throws unless both are the same as JSON: this file cannot use an assertion library that a user may not have. */
function same(actual: unknown, expected: unknown): void {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (got !== wanted) throw new Error(`expected ${wanted}, got ${got}`);
}

function contractCase(
  name: string,
  check: (subject: MembershipTransportSubject, one: readonly Heard[], two: readonly Heard[]) => Promise<void>,
): ContractCase<MembershipTransportSubject> {
  return {
    name,
    run: async (open) => {
      const subject = await open();
      const [one, two]: Heard[][] = [[], []] as [Heard[], Heard[]];
      subject.first.open({ onFrame: (from, frame) => void one?.push({ from, bytes: [...frame] }) });
      subject.second.open({ onFrame: (from, frame) => void two?.push({ from, bytes: [...frame] }) });
      try {
        await check(subject, one ?? [], two ?? []);
      } finally {
        await subject.first.close();
        await subject.second.close();
      }
    },
  };
}
