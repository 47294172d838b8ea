/** One node as a process: started, killed, stopped and let go on, and watched: one that ends by itself is told of. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { Network } from './network.js';
import { preloadPath } from './proxies.js';

/** What a node is made of. */
export interface NodeProcessParts {
  readonly id: number;
  readonly network: Network;
  /** The server's program and its flags. */
  readonly program: readonly string[];
  /** Everything it says goes here, from start to start. */
  readonly logFile: string;
  /** Says by how many milliseconds its wall clock is off. */
  readonly clockFile: string;
  /** It ended, and nobody had told it to. */
  onEnd(code: number | null, signal: NodeJS.Signals | null): void;
}

/** See above. */
export class NodeProcess {
  readonly id: number;
  readonly #parts: NodeProcessParts;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #isExpectedToEnd = false;

  constructor(parts: NodeProcessParts) {
    this.id = parts.id;
    this.#parts = parts;
    this.setClock(0);
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it, unless it runs. It may still be opening its data when this returns. */
  start(): void {
    if (this.#child !== undefined) return;
    const { network, id, program, logFile, clockFile } = this.#parts;
    const { command, args, env } = network.launch(id, program);
    const log = openSync(logFile, 'a');
    const child = spawn(command, [...args], {
      stdio: ['ignore', log, log],
      // A group of its own: an interrupt on the terminal is for us, who end the nodes in order.
      detached: true,
      env: {
        ...process.env,
        ...env,
        NEMESIS_CLOCK: clockFile,
        NODE_OPTIONS: `--import ${pathToFileURL(preloadPath).href}`,
      },
    });
    closeSync(log);
    this.#child = child;
    this.#isExpectedToEnd = false;
    this.#exited = new Promise((resolve) => {
      const ended = (code: number | null, signal: NodeJS.Signals | null) => {
        if (this.#child === child) this.#child = undefined;
        if (!this.#isExpectedToEnd) this.#parts.onEnd(code, signal);
        resolve();
      };
      child.once('exit', ended);
      child.once('error', () => ended(null, null));
    });
  }

  /** Starts it as soon as what was told to end is gone. */
  async restart(): Promise<void> {
    if (this.#isExpectedToEnd) await this.#exited;
    this.start();
  }

  /** `kill -9`. Resolves when it is gone; one that waits for a frozen disk goes only with the disk. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** In order; killed where that takes longer than `limitMs`. */
  async stop(limitMs: number): Promise<void> {
    const timer = setTimeout(() => this.#child?.kill('SIGKILL'), limitMs);
    await this.#end('SIGTERM');
    clearTimeout(timer);
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Its wall clock is off by so much from now on. */
  setClock(byMs: number): void {
    writeFileSync(this.#parts.clockFile, String(byMs));
  }

  /** The end of what it said. */
  lastWords(): string {
    return readFileSync(this.#parts.logFile, 'utf8').split('\n').slice(-6).join('\n');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child === undefined) return;
    this.#isExpectedToEnd = true;
    this.#child.kill(signal);
    if (signal !== 'SIGKILL') this.#child.kill('SIGCONT');
    await Promise.race([this.#exited, sleep(30_000, undefined, { ref: false })]);
  }
}
