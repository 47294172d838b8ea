/** Somebody who uses the cluster meanwhile: writes and reads back all the time, and notes every failure and every wait. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ShanghaiClient } from '@shanghai/client';
import { connect } from '@shanghai/client/grpc';

/** What happened since the last time somebody asked. */
export interface HealthyReport {
  readonly operations: number;
  readonly failures: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** See above. Each worker has a key of its own, and counts. */
export class HealthyClient {
  readonly #client: ShanghaiClient;
  readonly #workers: Promise<void>[];
  readonly #acknowledged = new Map<string, number>();
  #isOver = false;
  #waitsMs: number[] = [];
  #failures: string[] = [];

  /** `deadlineMs`: a call that takes longer has failed. */
  constructor(endpoints: readonly string[], workers: number, deadlineMs: number) {
    this.#client = connect({ endpoints, timeoutMs: deadlineMs });
    this.#workers = Array.from({ length: workers }, (_, worker) => this.#work(`healthy/${worker}`));
  }

  /** Takes what was noted. */
  take(): HealthyReport {
    const waits = this.#waitsMs.sort((a, b) => a - b);
    const at = (share: number) => waits[Math.min(waits.length - 1, Math.floor(waits.length * share))] ?? 0;
    const report = {
      operations: waits.length,
      failures: this.#failures,
      p50Ms: at(0.5),
      p99Ms: at(0.99),
      maxMs: waits.at(-1) ?? 0,
    };
    this.#waitsMs = [];
    this.#failures = [];
    return report;
  }

  /** Ends, and reads once more everything that was acknowledged; what is not there, in words. */
  async finish(): Promise<readonly string[]> {
    this.#isOver = true;
    await Promise.all(this.#workers);
    const lost: string[] = [];
    for (const [key, count] of this.#acknowledged) {
      const found = Number(await this.#client.getText(key));
      // A write that failed may have been done.
      if (!(found >= count)) lost.push(`${key} is ${found}, ${count} was acknowledged`);
    }
    await this.#client.close();
    return lost;
  }

  async #work(key: string): Promise<void> {
    for (let count = 1; !this.#isOver; count++) {
      await this.#timed(async () => {
        await this.#client.put(key, `${count}`);
        this.#acknowledged.set(key, count);
      });
      await this.#timed(async () => {
        const found = await this.#client.getText(key);
        const known = this.#acknowledged.get(key) ?? 0;
        if (Number(found ?? 0) < known) throw new Error(`${key} is ${found} after ${known} was acknowledged`);
      });
      await sleep(20);
    }
  }

  async #timed(operation: () => Promise<void>): Promise<void> {
    const startMs = performance.now();
    try {
      await operation();
    } catch (error) {
      this.#failures.push((error as Error).message);
    }
    this.#waitsMs.push(performance.now() - startMs);
  }
}
