import { startThread, type Thread } from '@shanghai/env';
import { BitcaskError } from './bitcask-error.js';
import type { MergeCopied, MergeHost, MergeJob } from './merge-job.js';
import { decodeFailure, type FromMergeThread, type ToMergeThread } from './merge-messages.js';

/** Script heap of the thread; its windows lie outside. */
const maxHeapMb = 256;

/** The thread could not be started, and has done nothing. */
export class NoMergeThread extends Error {}

/** This module's own ending: from TypeScript sources the thread's module is one, too. */
const moduleUrl = new URL(import.meta.url.endsWith('.ts') ? './merge-worker.ts' : './merge-worker.js', import.meta.url);

/**
 * Copies on a thread of its own, started for this merge and gone when the promise settles. Rejects with
 * `NoMergeThread`, with what `host` refused with, or as `MergeCopy` does; a thread that dies fails the merge (`IO_ERROR`).
 */
export function copyOnThread(job: MergeJob, host: MergeHost, module = moduleUrl): Promise<MergeCopied> {
  return new Promise((resolve, reject) => {
    const run = new ThreadRun(job, host, (copied, error) => {
      if (copied === undefined) reject(error);
      else resolve(copied);
    });
    run.start(module);
  });
}

/** `starting` until the thread says it is ready, then `copying`; when it has said how it ended, its end is awaited. */
class ThreadRun {
  readonly #job: MergeJob;
  readonly #host: MergeHost;
  readonly #settle: (copied: MergeCopied | undefined, error: unknown) => void;
  #thread: Thread | undefined;
  #state: 'starting' | 'copying' | 'said' = 'starting';
  #copied: MergeCopied | undefined;
  #failure: unknown;
  /** What the host rejected with first: the thread only knows that it did. */
  #refusal: { readonly error: unknown } | undefined;

  constructor(job: MergeJob, host: MergeHost, settle: (copied: MergeCopied | undefined, error: unknown) => void) {
    this.#job = job;
    this.#host = host;
    this.#settle = settle;
  }

  start(module: URL): void {
    try {
      this.#thread = startThread(module, maxHeapMb, {
        message: (message) => this.#hear(message as FromMergeThread),
        ended: (error) => this.#ended(error),
      });
    } catch (error) {
      this.#settle(undefined, new NoMergeThread(String(error), { cause: error }));
    }
  }

  #hear(message: FromMergeThread): void {
    switch (message.kind) {
      case 'ready':
        this.#state = 'copying';
        this.#post({ kind: 'job', job: this.#job });
        return;
      case 'judge':
        this.#answer(message.call, this.#host.judge(message.block));
        return;
      case 'newOutput':
        this.#answer(message.call, this.#host.newOutput());
        return;
      case 'spend':
        this.#answer(message.call, this.#host.spend(message.bytesRead, message.bytesWritten));
        return;
      case 'copied':
        this.#state = 'said';
        this.#copied = message.copied;
        return;
      case 'failed':
        this.#state = 'said';
        this.#failure = message.failure.origin === 'refused' ? this.#refusal?.error : decodeFailure(message.failure);
        return;
    }
  }

  #answer(call: number, value: Promise<unknown>): void {
    value.then(
      (answer) => this.#post({ kind: 'answer', call, value: answer }),
      (error) => {
        this.#refusal ??= { error };
        this.#post({ kind: 'refused', call });
      },
    );
  }

  #post(message: ToMergeThread): void {
    this.#thread?.post(message);
  }

  #ended(error: Error | undefined): void {
    if (this.#state === 'said') this.#settle(this.#copied, this.#failure);
    else if (this.#state === 'starting') this.#settle(undefined, new NoMergeThread(String(error), { cause: error }));
    else {
      const what = error === undefined ? 'it ended' : error.message;
      this.#settle(
        undefined,
        new BitcaskError('IO_ERROR', `the thread of a merge died and the merge changed nothing: ${what}`, {
          cause: error,
        }),
      );
    }
  }
}
