import { closedLoop } from '../../closed-loop.js';
import { withProcessorTime } from '../../processor-time.js';
import type { Measurement } from '../../report.js';
import type { EmbeddedStore } from '../engines/embedded-store.js';
import { fillKey, newKey } from '../numbered-keys.js';
import { valueOfNumber } from '../numbered-values.js';

/** Callers of the durable puts; the other engines' too. */
export const durableCallers = 64;

/** 64 callers, one put of a new key each, answered after the sync that covers it. */
export function putDurably(store: EmbeddedStore, seconds: number): Promise<Measurement> {
  const put = (number: number) => store.putDurable(fillKey(newKey(), number), valueOfNumber(number));
  return withProcessorTime(() => closedLoop(put, { callers: durableCallers, seconds }));
}
