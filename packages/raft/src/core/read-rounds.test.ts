import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createMessage } from './message.js';
import { ReadRounds } from './read-rounds.js';

const seed = Number(process.env['SHANGHAI_SEED'] ?? 20_240_908);
const numRuns = process.env['SHANGHAI_DEEP'] === '1' ? 20_000 : 1000;

const voters = { incoming: new Set([1, 2, 3, 4, 5]), outgoing: new Set<number>() };
const step = fc.record({
  kind: fc.constantFrom('read', 'read', 'leave', 'heartbeat', 'deliver', 'deliver'),
  from: fc.integer({ min: 2, max: 7 }),
  which: fc.nat(5),
});

test(`a read is confirmed by a majority that was asked after it came, and by no fewer (seed ${seed})`, () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rounds = new ReadRounds();
      let now = 0;
      const cameAt = new Map<number, number>();
      /** Heartbeats on their way: what they carry, and when they left. */
      const sent: { readonly round: number; readonly leftAt: number }[] = [];
      let made: number[] = [];
      const leave = () => {
        for (const round of made) sent.push({ round, leftAt: now });
        made = [];
        rounds.close();
      };
      const heardSince = new Map<number, number>();
      for (const { kind, from, which } of steps) {
        now++;
        if (kind === 'read') {
          cameAt.set(now, now);
          if (rounds.bind(createMessage({ type: 'MsgReadIndex', context: now }), 0)) made.push(rounds.round);
        } else if (kind === 'leave') leave();
        else if (kind === 'heartbeat') made.push(rounds.round);
        else {
          const heartbeat = sent.at(-1 - which);
          if (heartbeat === undefined || heartbeat.round === 0) continue;
          heardSince.set(from, Math.max(heardSince.get(from) ?? 0, heartbeat.leftAt));
          for (const { request } of rounds.confirm(from, heartbeat.round, voters, 1)) {
            const came = cameAt.get(request.context) ?? 0;
            const asked = [2, 3, 4, 5].filter((id) => (heardSince.get(id) ?? 0) >= came).length;
            expect(asked + 1, `read of ${came} at ${now}`).toBeGreaterThanOrEqual(3);
            cameAt.delete(request.context);
          }
        }
      }
      // Nothing is left behind when everybody answers the last round.
      leave();
      const { round } = rounds;
      const last = [2, 3].flatMap((id) => rounds.confirm(id, round, voters, 1));
      expect(last.length).toBe(cameAt.size);
      expect(rounds.round).toBe(0);
    }),
    { seed, numRuns },
  );
});

test('abandoned reads are handed back, and nothing waits then', () => {
  const rounds = new ReadRounds();
  rounds.bind(createMessage({ type: 'MsgReadIndex', context: 8 }), 3);
  expect(rounds.abandon()).toMatchObject([{ request: { context: 8 }, index: 3 }]);
  expect([rounds.round, rounds.abandon().length]).toEqual([0, 0]);
});

test('reads that waited for somebody who is no voter any more are released', () => {
  const rounds = new ReadRounds();
  rounds.bind(createMessage({ type: 'MsgReadIndex', context: 8 }), 3);
  rounds.close();
  expect(rounds.release(voters, 1)).toEqual([]);
  rounds.confirm(2, rounds.round, voters, 1);
  expect(rounds.release({ incoming: new Set([1, 2, 3]), outgoing: new Set() }, 1)).toHaveLength(1);
});
