import { refusal } from './proposal-error.js';

/** A wish that another node leads, which is waited for. One at a time. */
export class Transfer {
  #pending:
    | { readonly to: number; readonly deadlineMs: number; resolve(): void; reject(error: Error): void }
    | undefined;

  #untold: number | undefined;

  get isPending(): boolean {
    return this.#pending !== undefined;
  }

  begin(to: number, deadlineMs: number): Promise<void> {
    if (this.#pending !== undefined) {
      return Promise.reject(refusal('REFUSED', `leadership is being handed to node ${this.#pending.to} already`));
    }
    this.#untold = to;
    return new Promise((resolve, reject) => {
      this.#pending = { to, deadlineMs, resolve, reject };
    });
  }

  /** To whom the core is to be told to hand over now; once. */
  take(): number | undefined {
    const to = this.#untold;
    this.#untold = undefined;
    return to;
  }

  /** This node leads no more. */
  done(): void {
    this.#pending?.resolve();
    this.#pending = undefined;
  }

  expire(nowMs: number): void {
    if (this.#pending === undefined || this.#pending.deadlineMs > nowMs) return;
    this.end(
      refusal('REFUSED', `node ${this.#pending.to} has not taken leadership over in time; this node still leads`),
    );
  }

  end(error: Error): void {
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}
