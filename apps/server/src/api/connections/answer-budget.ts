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

/** Who asks for more than there is room for is refused rather than that somebody is cut off who took something just now. */
const patienceMs = 5_000;

interface Waiting {
  readonly bytes: number;
  /** Since when nothing was taken. */
  readonly sinceMs: number;
}

/** The bytes that wait. */
export class AnswerBudget {
  readonly #limitBytes: number;
  readonly #onCut: () => void;
  readonly #monotonicMs: () => number;
  /** Those for whom something waits, by when they last took something. */
  readonly #waiting = new Map<SlowReader, Waiting>();
  #held = 0;

  /** `onCut` is told of every reader that was cut off. */
  constructor(limitBytes: number, onCut: () => void = () => undefined, monotonicMs: () => number = () => 0) {
    this.#limitBytes = limitBytes;
    this.#onCut = onCut;
    this.#monotonicMs = monotonicMs;
  }

  get heldBytes(): number {
    return this.#held;
  }

  /** Something more waits for a reader. */
  add(reader: SlowReader, bytes: number): void {
    this.#note(reader, bytes);
    while (this.#held > this.#limitBytes && this.#cutSlowest(Number.POSITIVE_INFINITY)) {}
  }

  /** As `add`, where there is room or can be made by cutting off those who took nothing for some seconds; else false. */
  tryAdd(reader: SlowReader, bytes: number): boolean {
    const latestMs = this.#monotonicMs() - patienceMs;
    while (this.#held + bytes > this.#limitBytes) if (!this.#cutSlowest(latestMs)) return false;
    this.#note(reader, bytes);
    return true;
  }

  /** A reader took some. */
  taken(reader: SlowReader, bytes: number): void {
    const held = this.#waiting.get(reader)?.bytes;
    if (held === undefined) return;
    this.#held -= bytes;
    this.#waiting.delete(reader);
    if (held > bytes) this.#waiting.set(reader, { bytes: held - bytes, sinceMs: this.#monotonicMs() });
  }

  /** A reader is gone. Idempotent. */
  forget(reader: SlowReader): void {
    this.#held -= this.#waiting.get(reader)?.bytes ?? 0;
    this.#waiting.delete(reader);
  }

  #note(reader: SlowReader, bytes: number): void {
    this.#held += bytes;
    const known = this.#waiting.get(reader);
    const sinceMs = known?.sinceMs ?? this.#monotonicMs();
    this.#waiting.set(reader, { bytes: (known?.bytes ?? 0) + bytes, sinceMs });
  }

  /** Ends the reader who took nothing for longest, where that is not later than `latestMs`. */
  #cutSlowest(latestMs: number): boolean {
    const [slowest] = this.#waiting;
    if (slowest === undefined || slowest[1].sinceMs > latestMs) return false;
    this.forget(slowest[0]);
    this.#onCut();
    slowest[0].cutOff();
    return true;
  }
}

/** A budget whose cuts are counted, and which shows what is held. */
export function observedAnswers(metrics: Metrics, limitBytes: number, monotonicMs: () => number): AnswerBudget {
  const cut = metrics
    .counter({ name: 'slow_readers_cut_total', help: 'Streams ended because too much waited for slow readers.' })
    .series();
  const budget = new AnswerBudget(limitBytes, () => cut.add(), monotonicMs);
  const held = metrics.gauge({ name: 'answers_waiting_bytes', help: 'Bytes of streams that wait for their readers.' });
  metrics.beforeCollect(() => held.set(budget.heldBytes));
  return budget;
}
