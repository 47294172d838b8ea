import type { ClientError } from '../client-error.js';
import { RequestNumbers } from '../core/request-numbers.js';

/** A request's place in a session. */
export interface Numbering {
  readonly session: Session;
  readonly number: number;
}

/** A session at the server, and the numbers given out in it. */
export interface Session {
  readonly id: bigint;
  readonly numbers: RequestNumbers;
}

/** What the keeper needs and tells. */
export interface SessionKeeperPorts {
  /** Opens a session at the server, and resolves to its id. `onRetry` hears of every attempt that failed meanwhile. */
  open(onRetry: (failure: ClientError) => void): Promise<bigint>;
  /** Numbers can be had again. */
  onAvailable(): void;
  /** No session could be opened; the next `take` tries again. */
  onFailure(error: unknown): void;
}

/**
 * Numbers writes. The session is opened when the first number is wanted, and a new one when it has expired. Requests
 * numbered in an expired session keep their numbers: what became of them cannot be learned in another.
 */
export class SessionKeeper {
  readonly #ports: SessionKeeperPorts;
  #session: Session | undefined;
  #opening = false;
  /** Why there is no session yet, where that is known. */
  lastFailure: ClientError | undefined;

  constructor(ports: SessionKeeperPorts) {
    this.#ports = ports;
  }

  /** A number for a write; `undefined`: not now, `onAvailable` will come. */
  take(): Numbering | undefined {
    const session = this.#session;
    if (session === undefined) {
      if (!this.#opening) void this.#open();
      return undefined;
    }
    const number = session.numbers.take();
    return number === undefined ? undefined : { session, number };
  }

  /** That write will not be sent again. */
  settle({ session, number }: Numbering): void {
    session.numbers.settle(number);
    if (session === this.#session) this.#ports.onAvailable();
  }

  /** The server does not know that session any more. */
  expired(session: Session): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #open(): Promise<void> {
    this.#opening = true;
    const onRetry = (failure: ClientError) => {
      this.lastFailure = failure;
    };
    try {
      this.#session = { id: await this.#ports.open(onRetry), numbers: new RequestNumbers() };
    } catch (error) {
      this.#opening = false;
      this.#ports.onFailure(error);
      return;
    }
    this.#opening = false;
    this.lastFailure = undefined;
    this.#ports.onAvailable();
  }
}
