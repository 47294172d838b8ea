import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Everything a run must take away again: its directory and its child processes. `close` ends children softly and is for
 * the ordinary end; `abandon` is for signals: it blocks, kills, removes, and leaves nothing behind.
 */
export class BenchScope {
  readonly directory: string;
  readonly #children = new Set<ChildProcess>();

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** A scope with a directory of its own under `parent` (default: the system's temporary directory). */
  static async open(parent: string = tmpdir()): Promise<BenchScope> {
    return new BenchScope(await mkdtemp(join(parent, 'shanghai-bench-')));
  }

  /** Takes over the ending of a child. */
  own(child: ChildProcess): ChildProcess {
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
    return child;
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    }
    await rm(this.directory, { recursive: true, force: true });
  }

  abandon(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
