/** Virtual time: events in the order of their times, and of their making where these are equal. Nothing waits for a clock. */
export class EventQueue {
  readonly #heap: Event[] = [];
  #made = 0;
  #nowMs = 0;
  #done = 0;

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have happened. */
  get done(): number {
    return this.#done;
  }

  /** Lets something happen after `delayMs` ≥ 0. */
  after(delayMs: number, action: () => void): void {
    const heap = this.#heap;
    heap.push({ atMs: this.#nowMs + delayMs, order: this.#made++, action });
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(heap[at] as Event, heap[parent] as Event)) break;
      swap(heap, at, parent);
      at = parent;
    }
  }

  /** Lets everything happen up to a time. */
  runUntil(endMs: number): void {
    while (this.runNext(endMs));
  }

  /** Lets the next event up to a time happen; without one, the time itself comes. Returns whether there was one. */
  runNext(endMs: number): boolean {
    const event = this.#heap[0];
    if (event === undefined || event.atMs > endMs) {
      this.#nowMs = Math.max(this.#nowMs, endMs);
      return false;
    }
    this.#takeFirst();
    this.#nowMs = event.atMs;
    this.#done++;
    event.action();
    return true;
  }

  #takeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Event;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right] as Event, heap[left] as Event) ? right : left;
      if (!isBefore(heap[child] as Event, heap[at] as Event)) return;
      swap(heap, at, child);
      at = child;
    }
  }
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly action: () => void;
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs;
}

function swap(heap: Event[], a: number, b: number): void {
  const event = heap[a] as Event;
  heap[a] = heap[b] as Event;
  heap[b] = event;
}
