import { blockingDisk, invariant, nodeDisk, ownThreadPort, type ThreadPort } from '@shanghai/env';
import type { CandidateBlock } from './core/candidate-batch.js';
import type { SegmentIdentity } from './core/segment.js';
import { MergeCopy } from './merge-copy.js';
import type { MergeHost, MergeJob } from './merge-job.js';
import { encodeFailure, type FromMergeThread, MergeRefused, type ToMergeThread } from './merge-messages.js';

/**
 * The module a merge's thread runs: takes one job, copies with blocking reads and writes (nobody else waits here), asks
 * the store's thread through messages, says how it ended, and ends. Does nothing where it is loaded on the main thread.
 */

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** The store's side, as seen from the thread. */
class RemoteHost implements MergeHost {
  readonly #port: ThreadPort;
  readonly #waiting = new Map<number, Waiting>();
  #calls = 0;

  constructor(port: ThreadPort) {
    this.#port = port;
  }

  judge(block: CandidateBlock): Promise<Uint8Array> {
    const { keys, keyEnds, sequences } = block;
    const buffers = [keys, keyEnds, sequences].map((part) => part.buffer as ArrayBuffer);
    return this.#ask((call) => ({ kind: 'judge', call, block }), buffers);
  }

  newOutput(): Promise<SegmentIdentity> {
    return this.#ask((call) => ({ kind: 'newOutput', call }));
  }

  spend(bytesRead: number, bytesWritten: number): Promise<void> {
    return this.#ask((call) => ({ kind: 'spend', call, bytesRead, bytesWritten }));
  }

  settle(message: Extract<ToMergeThread, { call: number }>): void {
    const waiting = this.#waiting.get(message.call);
    invariant(waiting !== undefined, `an answer to call ${message.call}, which nobody made`);
    this.#waiting.delete(message.call);
    if (message.kind === 'answer') waiting.resolve(message.value);
    else waiting.reject(new MergeRefused('the store ended the merge'));
  }

  #ask<T>(message: (call: number) => FromMergeThread, transfer?: ArrayBuffer[]): Promise<T> {
    return new Promise((resolve, reject) => {
      const call = ++this.#calls;
      this.#waiting.set(call, { resolve: resolve as (value: unknown) => void, reject });
      this.#port.post(message(call), transfer);
    });
  }
}

function serve(port: ThreadPort): void {
  const host = new RemoteHost(port);
  port.listen((received) => {
    const message = received as ToMergeThread;
    if (message.kind === 'job') void run(port, host, message.job);
    else host.settle(message);
  });
  port.post({ kind: 'ready' } satisfies FromMergeThread);
}

async function run(port: ThreadPort, host: MergeHost, job: MergeJob): Promise<void> {
  try {
    const copied = await new MergeCopy(blockingDisk(nodeDisk()), job, host).run();
    port.post({ kind: 'copied', copied } satisfies FromMergeThread);
  } catch (error) {
    port.post({ kind: 'failed', failure: encodeFailure(error) } satisfies FromMergeThread);
  }
  port.close();
}

const port = ownThreadPort();
if (port !== undefined) serve(port);
