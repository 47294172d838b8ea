import { defaultMembershipSettings } from '@shanghai/membership';
import { describe, expect, it } from 'vitest';
import { crashes, flapping, massRestart, partition, start, steady } from './membership-phases.js';

const isDeep = process.env.SHANGHAI_DEEP === '1';
const seed = Number(process.env.SHANGHAI_SEED ?? 20_261);
const settings = defaultMembershipSettings;
const sizes = isDeep ? [2, 3, 10, 100, 1_000] : [2, 3, 10, 60];
const minutesOf = (nodes: number) => (isDeep ? Math.max(5, 10_000 / nodes) : 600 / nodes);
/** An hour, where that does not take long. */
const apartMs = (nodes: number) => (isDeep || nodes <= 10 ? 3_600_000 : 120_000);

describe.each(sizes)(`membership of %i nodes on virtual time (seed ${seed})`, (nodes) => {
  it('a crash is seen as suspect after 5 to 10 s, as down after 10 to 15 s, and everywhere 2 s later', () => {
    const { suspect, down, spread } = crashes(
      start({ seed, nodes, loss: 0, settings }),
      isDeep && nodes <= 100 ? 20 : 6,
    );
    // What is on its way takes some milliseconds, and a node that was heard last the moment before it crashed is silent from then on.
    expect(suspect.min).toBeGreaterThanOrEqual(5_000);
    expect(suspect.max).toBeLessThanOrEqual(10_050);
    expect(down.min).toBeGreaterThanOrEqual(10_000);
    expect(down.max).toBeLessThanOrEqual(15_050);
    expect(spread.max).toBeLessThanOrEqual(2_000);
  });

  it('at 1 % loss nobody is suspected who is there, and no node that hangs makes another one suspect', () => {
    const started = start({ seed: seed + 1, nodes, loss: 0.01, settings });
    const quiet = steady(started, minutesOf(nodes), 0);
    expect([quiet.falseSuspicions, quiet.falseDowns]).toEqual([0, 0]);
    const stalled = steady(started, minutesOf(nodes), nodes / 5);
    expect([stalled.falseSuspicions, stalled.falseDowns]).toEqual([0, 0]);
  });

  it('without loss nobody is suspected who is there, nor at 5 % of it', () => {
    const started = start({ seed: seed + 5, nodes, loss: 0, settings });
    for (const loss of [0, 0.05]) {
      started.world.setLoss(loss);
      const { falseSuspicions, falseDowns } = steady(started, minutesOf(nodes) / 4, 0);
      expect([falseSuspicions, falseDowns], `${loss * 100} %`).toEqual([0, 0]);
    }
  });

  it('at 5 % loss a node that crashes is still found within 17 s', () => {
    const { down, spread } = crashes(start({ seed: seed + 2, nodes, loss: 0.05, settings }), 3);
    // The last heartbeat before the crash may be lost: then its silence began 5 s earlier.
    expect(down.min).toBeGreaterThanOrEqual(5_000);
    expect(down.max).toBeLessThanOrEqual(17_000);
    // Whom gossip has missed, a digest tells.
    expect(spread.max).toBeLessThanOrEqual(40_000);
  });

  it('halves that were apart for long are of one view a minute later', () => {
    const started = start({ seed: seed + 3, nodes, loss: 0.01, settings });
    const tookMs = partition(started, apartMs(nodes));
    expect(tookMs).toBeLessThanOrEqual(60_000);
  });

  it('nodes that are all started again are of one view within a minute', () => {
    const started = start({ seed: seed + 4, nodes, loss: 0.01, settings });
    expect(massRestart(started)).toBeLessThanOrEqual(60_000);
  });
});

it.each(isDeep ? [10, 1_000] : [10])(
  `a node that comes and goes is seen as it is in the end, by %i nodes (seed ${seed})`,
  (nodes) => {
    expect(flapping(start({ seed, nodes, loss: 0.01, settings }), 20)).toBeLessThanOrEqual(60_000);
  },
);
