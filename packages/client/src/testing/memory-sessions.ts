import type { WriteOptions } from '@shanghai/proto';
import { refusal } from './memory-error.js';

/** Numbers of one session that are remembered. */
const window = 1_024;

interface MemorySession {
  readonly results: Map<number, unknown>;
  highest: number;
}

/** Sessions of the memory server: a numbered write is applied once, and answered alike every time. */
export class MemorySessions {
  readonly #sessions = new Map<number, MemorySession>();
  #nextId = 1;

  /** Makes a session. */
  open(): number {
    const id = this.#nextId++;
    this.#sessions.set(id, { results: new Map(), highest: 0 });
    return id;
  }

  /** Forgets every session, as a server does when they are old. */
  expireAll(): void {
    this.#sessions.clear();
  }

  /** Sessions that are known. */
  get count(): number {
    return this.#sessions.size;
  }

  /** Runs a write, unless its number was applied before: then its result, or its failure, is given again. */
  once<Result>(options: WriteOptions | undefined, apply: () => Result): Result {
    const id = Number(options?.sessionId ?? 0n);
    if (id === 0) return apply();
    const session = this.#sessions.get(id);
    if (session === undefined) throw refusal('SESSION_EXPIRED', `session ${id} is not known (any more)`);
    const number = Number(options?.requestNumber ?? 0n);
    const remembered = session.results.get(number) as
      | { readonly value: Result }
      | { readonly error: unknown }
      | undefined;
    if (remembered !== undefined) {
      if ('error' in remembered) throw remembered.error;
      return remembered.value;
    }
    if (number <= session.highest - window) throw refusal('OUTCOME_UNKNOWN', `request ${number} is too long ago`);
    try {
      const value = apply();
      this.#remember(session, number, { value });
      return value;
    } catch (error) {
      this.#remember(session, number, { error });
      throw error;
    }
  }

  #remember(session: MemorySession, number: number, result: unknown): void {
    session.results.set(number, result);
    session.highest = Math.max(session.highest, number);
    session.results.delete(session.highest - window);
  }
}
