/** Which ways a partition closes. */
import type { PartitionShape } from './schedule.js';

/** What one node sends to another. */
export interface Link {
  readonly from: number;
  readonly to: number;
}

/**
 * The ways that are closed. `order`: all nodes; the first is the one whom it is about (the leader, or any).
 * `full`: nobody hears anybody. `halves`: the first is in the smaller part. `one-way`: the first hears the others and is
 * not heard. `bridge`: two parts that only the last node connects, the first in the larger. `isolate`: the first is alone.
 * `slow` closes none.
 */
export function cutLinks(shape: PartitionShape, order: readonly number[]): readonly Link[] {
  const [first = 0] = order;
  const others = order.slice(1);
  const smaller = order.slice(0, Math.floor((order.length - 1) / 2));
  switch (shape) {
    case 'full':
      return order.flatMap((from) => order.filter((to) => to !== from).map((to) => ({ from, to })));
    case 'halves':
      return between(
        smaller,
        order.filter((id) => !smaller.includes(id)),
      );
    case 'one-way':
      return others.map((to) => ({ from: first, to }));
    case 'bridge': {
      const sides = order.slice(0, -1);
      const half = Math.ceil(sides.length / 2);
      return between(sides.slice(0, half), sides.slice(half));
    }
    case 'isolate':
      return between([first], others);
    case 'slow':
      return [];
  }
}

function between(some: readonly number[], others: readonly number[]): Link[] {
  return some.flatMap((a) =>
    others.flatMap((b) => [
      { from: a, to: b },
      { from: b, to: a },
    ]),
  );
}
