/**
 * Credit of one session, in entries and in bytes: what a source may have under way to its follower, sent and not yet durable
 * there. The follower grants; the source spends. Both keep the account, so that each sees where the other breaks it.
 * Refilled at half, as AMQP links are (RabbitMQ's sessions, Kung and Morris: "Credit-Based Flow Control for ATM Networks",
 * 1995), and whole as soon as nothing is under way: an entry larger than the window passes alone, when all credit is home.
 */
import { ReplicationError } from './replication-error.js';

/** An amount of it. */
export interface Credit {
  readonly entries: number;
  readonly bytes: number;
}

/** Above this no window is believed: a source must be able to refuse nonsense. */
export const maxWindow: Credit = { entries: 16_777_216, bytes: 4_294_967_296 };

/** The source's side. The first grant is the window; grants and what is under way never exceed it together. */
export class CreditAccount {
  #window: Credit = { entries: 0, bytes: 0 };
  #entries = 0;
  #bytes = 0;

  get window(): Credit {
    return this.#window;
  }

  /** What may be sent. Bytes are below zero while an entry larger than the window is under way. */
  get left(): Credit {
    return { entries: this.#entries, bytes: this.#bytes };
  }

  /** Nothing is under way. */
  get isWhole(): boolean {
    return this.#entries === this.#window.entries && this.#bytes === this.#window.bytes;
  }

  /** Whether anything at all may be sent. */
  get isOpen(): boolean {
    return this.#entries > 0 && this.#bytes > 0;
  }

  /** Whether this may be sent now: it fits, or it is one entry that could never fit and nothing else is under way. */
  admits({ entries, bytes }: Credit): boolean {
    if (entries <= this.#entries && bytes <= this.#bytes) return true;
    return entries === 1 && this.isWhole && this.isOpen;
  }

  /** Throws `CREDIT_EXCEEDED` where that may not be sent. */
  spend(amount: Credit): void {
    if (!this.admits(amount)) {
      const { entries, bytes } = amount;
      throw new ReplicationError(
        'CREDIT_EXCEEDED',
        `${entries} entries of ${bytes} bytes, where ${this.#entries} and ${this.#bytes} may be sent`,
      );
    }
    this.#entries -= amount.entries;
    this.#bytes -= amount.bytes;
  }

  /** More may be sent. Throws `CREDIT_EXCEEDED` where that is more than was given out. */
  grant({ entries, bytes }: Credit): void {
    if (this.#window.entries === 0) {
      if (entries < 1 || bytes < 1 || entries > maxWindow.entries || bytes > maxWindow.bytes) {
        throw new ReplicationError('CREDIT_EXCEEDED', `a window of ${entries} entries and ${bytes} bytes is none`);
      }
      this.#window = { entries, bytes };
    } else if (this.#entries + entries > this.#window.entries || this.#bytes + bytes > this.#window.bytes) {
      throw new ReplicationError(
        'CREDIT_EXCEEDED',
        `${entries} entries and ${bytes} bytes were granted, more than is under way`,
      );
    }
    this.#entries += entries;
    this.#bytes += bytes;
  }
}

/** The follower's side. */
export class CreditGranter {
  readonly #account = new CreditAccount();
  readonly #window: Credit;
  #dueEntries = 0;
  #dueBytes = 0;
  #isOpened = false;

  constructor(window: Credit) {
    this.#window = window;
  }

  /** What is under way: received, and not given back yet. */
  get underWay(): Credit {
    const { entries, bytes } = this.#account.left;
    return { entries: this.#window.entries - entries, bytes: this.#window.bytes - bytes };
  }

  /** The first grant. */
  open(): Credit {
    this.#isOpened = true;
    this.#account.grant(this.#window);
    return this.#window;
  }

  /** Something came. Throws `CREDIT_EXCEEDED` where it had not been granted. */
  receive(amount: Credit): void {
    if (!this.#isOpened) throw new ReplicationError('CREDIT_EXCEEDED', 'entries came before any were granted');
    this.#account.spend(amount);
  }

  /** So much of what came is durable, and is to be given back. */
  settle({ entries, bytes }: Credit): void {
    this.#dueEntries += entries;
    this.#dueBytes += bytes;
  }

  /** What to grant now: at half of the window, or when all that came is durable; else nothing. */
  take(): Credit | undefined {
    const entries = this.#dueEntries;
    const bytes = this.#dueBytes;
    if (entries === 0) return undefined;
    const under = this.underWay;
    const isDue =
      entries >= this.#window.entries / 2 ||
      bytes >= this.#window.bytes / 2 ||
      (entries === under.entries && bytes === under.bytes);
    if (!isDue) return undefined;
    this.#dueEntries = 0;
    this.#dueBytes = 0;
    const granted = { entries, bytes };
    this.#account.grant(granted);
    return granted;
  }
}
