/**
 * A decoder that never returns keeps every timer from firing. A thread beside it sees that no case was begun for long,
 * says which one it was, and ends the process.
 */
import { Worker } from 'node:worker_threads';

const stuckMs = 30_000;
const maxNameBytes = 256;

const program = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const numbers = new Int32Array(workerData, 0, 2);
let seen = -1;
let since = Date.now();
setInterval(() => {
  const now = Atomics.load(numbers, 0);
  if (now !== seen) { seen = now; since = Date.now(); }
  else if (Date.now() - since > ${stuckMs}) {
    const name = Buffer.from(new Uint8Array(workerData, 8)).toString().replace(/\\0+$/, '');
    writeSync(2, 'stuck for ${stuckMs / 1000} s in case ' + Atomics.load(numbers, 1) + ' of "' + name + '"\\n');
    process.kill(process.pid, 'SIGKILL');
  }
}, 1000);
`;

/** Watches from now on; tell it of every case that begins. */
export class Watchdog {
  readonly #shared = new SharedArrayBuffer(8 + maxNameBytes);
  readonly #numbers = new Int32Array(this.#shared, 0, 2);
  readonly #name = Buffer.from(this.#shared, 8);
  readonly #worker: Worker;
  #target = '';

  constructor() {
    this.#worker = new Worker(program, { eval: true, workerData: this.#shared });
    this.#worker.unref();
  }

  begins(target: string, number: number): void {
    if (target !== this.#target) {
      this.#target = target;
      this.#name.fill(0);
      this.#name.write(target.slice(0, maxNameBytes));
    }
    this.#numbers[1] = number;
    Atomics.add(this.#numbers, 0, 1);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }
}
