import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BenchScope } from '../bench-scope.js';
import type { Measurement } from '../report.js';
import type { StoreHostOptions } from './store-host.js';
import type { StoreTask } from './tasks/store-tasks.js';

const program = fileURLToPath(new URL('./store-process.js', import.meta.url));

/** A store in a process of its own, asked for one task at a time. */
export class StoreProcessClient {
  readonly options: StoreHostOptions;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(options: StoreHostOptions, child: ChildProcess) {
    this.options = options;
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  /** Starts it with an empty directory. */
  static async start(scope: BenchScope, options: StoreHostOptions): Promise<StoreProcessClient> {
    await rm(options.directory, { recursive: true, force: true });
    await mkdir(options.directory, { recursive: true });
    const args = [options.engine, options.directory, String(options.keys)];
    const child = scope.own(fork(program, args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }));
    return new StoreProcessClient(options, child);
  }

  /** Rejects with what the process said, or with how it ended. */
  async run(task: StoreTask, seconds: number): Promise<Measurement> {
    const { engine } = this.options;
    const answered = once(this.#child, 'message');
    this.#child.send({ task, seconds });
    const ended = this.#ended.then((code) => {
      throw new Error(`the process of '${engine}' ended with ${String(code)} while it did '${task}'`);
    });
    const [answer] = (await Promise.race([answered, ended])) as [{ measurement?: Measurement; failure?: string }];
    if (answer.measurement === undefined) throw new Error(`'${task}' of '${engine}' failed: ${answer.failure}`);
    return answer.measurement;
  }

  /** Ends the process without closing the store and takes its directory away. */
  async discard(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
    await rm(this.options.directory, { recursive: true, force: true });
  }
}
