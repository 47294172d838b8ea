/** What others asked this node to ping for them, until it is answered or the time is over. */

interface Relay {
  readonly asker: number;
  readonly askersNumber: number;
  readonly subject: number;
  readonly dueMs: number;
}

/** An answer that is owed to whoever asked. */
export interface OwedAnswer {
  readonly asker: number;
  readonly number: number;
  readonly subject: number;
}

/** More questions at a time than this are not answered, which is no vote. */
const maxRelays = 1_024;

/** Pings on behalf of others, by the number of the ping. */
export class RelayedPings {
  readonly #relays = new Map<number, Relay>();

  /** When the first of them is over. */
  get dueMs(): number {
    for (const { dueMs } of this.#relays.values()) return dueMs;
    return Number.POSITIVE_INFINITY;
  }

  /** Whether there is place for one more; if so it is due at `dueMs`, which must not be before that of earlier ones. */
  add(number: number, asker: number, askersNumber: number, subject: number, dueMs: number): boolean {
    if (this.#relays.size >= maxRelays) return false;
    this.#relays.set(number, { asker, askersNumber, subject, dueMs });
    return true;
  }

  /** The ping of this number was answered by `from`: what is owed for it. */
  answered(number: number, from: number): OwedAnswer | undefined {
    const relay = this.#relays.get(number);
    if (relay === undefined || relay.subject !== from) return undefined;
    this.#relays.delete(number);
    return { asker: relay.asker, number: relay.askersNumber, subject: relay.subject };
  }

  /** Those that were not answered in time. */
  expired(nowMs: number): OwedAnswer[] {
    const owed: OwedAnswer[] = [];
    for (const [number, relay] of this.#relays) {
      if (relay.dueMs > nowMs) break;
      this.#relays.delete(number);
      owed.push({ asker: relay.asker, number: relay.askersNumber, subject: relay.subject });
    }
    return owed;
  }

  /** This node was held up: whatever came meanwhile, it could not have heard it. */
  forget(): void {
    this.#relays.clear();
  }
}
