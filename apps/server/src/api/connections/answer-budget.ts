/**
 * Answers that wait for their readers, of all streams together. One slow reader holds little; ten thousand of them would
 * hold as much as the process has. Where there is too much, the reader that has taken nothing for longest is cut off.
 */
import type { Metrics } from '@shanghai/telemetry';

/** What holds answers for a reader. */
export interface SlowReader {
  /** Ends its stream and forgets what waits. */
  cutOff(): void;
}

/** The bytes that wait. */
export class AnswerBudget {
  readonly #limitBytes: number;
  readonly #onCut: () => void;
  /** Those for whom something waits, by when they last took something. */
  readonly #waiting = new Map<SlowReader, number>();
  #held = 0;

  /** `onCut` is told of every reader that was cut off. */
  constructor(limitBytes: number, onCut: () => void = () => undefined) {
    this.#limitBytes = limitBytes;
    this.#onCut = onCut;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Something more waits for a reader. */
  add(reader: SlowReader, bytes: number): void {
    this.#held += bytes;
    this.#waiting.set(reader, (this.#waiting.get(reader) ?? 0) + bytes);
    while (this.#held > this.#limitBytes) {
      const [slowest] = this.#waiting.keys();
      if (slowest === undefined) return;
      this.forget(slowest);
      this.#onCut();
      slowest.cutOff();
    }
  }

  /** A reader took some. */
  taken(reader: SlowReader, bytes: number): void {
    const held = this.#waiting.get(reader);
    if (held === undefined) return;
    this.#held -= bytes;
    this.#waiting.delete(reader);
    if (held > bytes) this.#waiting.set(reader, held - bytes);
  }

  /** A reader is gone. Idempotent. */
  forget(reader: SlowReader): void {
    this.#held -= this.#waiting.get(reader) ?? 0;
    this.#waiting.delete(reader);
  }
}

/** A budget whose cuts are counted, and which shows what is held. */
export function observedAnswers(metrics: Metrics, limitBytes: number): AnswerBudget {
  const cut = metrics
    .counter({ name: 'slow_readers_cut_total', help: 'Streams ended because too much waited for slow readers.' })
    .series();
  const budget = new AnswerBudget(limitBytes, () => cut.add());
  const held = metrics.gauge({ name: 'answers_waiting_bytes', help: 'Bytes of streams that wait for their readers.' });
  metrics.beforeCollect(() => held.set(budget.heldBytes));
  return budget;
}
