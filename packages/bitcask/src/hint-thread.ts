import { startThread, type Thread } from '@shanghai/env';
import type { Segment } from './core/segment.js';

/** Script heap of the thread; the keys that it sorts lie outside. */
const maxHeapMb = 256;

/** The thread could not be started, and has done nothing. */
export class NoHintThread extends Error {}

/** What the store asks of a hint's thread, once. */
export interface HintRequest {
  readonly directory: string;
  readonly segment: Segment;
}

/** What the thread says: that it is there, then how it went. */
export type FromHintThread = { readonly kind: 'ready' } | { readonly kind: 'ended'; readonly written: boolean };

/** This module's own ending: from TypeScript sources the thread's module is one, too. */
const moduleUrl = new URL(import.meta.url.endsWith('.ts') ? './hint-worker.ts' : './hint-worker.js', import.meta.url);

/**
 * Builds a segment's hint on a thread of its own, which is gone when the promise settles. Resolves to whether the hint
 * was written; rejects with `NoHintThread`.
 */
export function buildHintOnThread(directory: string, segment: Segment, module = moduleUrl): Promise<boolean> {
  return new Promise((resolve, reject) => {
    let thread: Thread | undefined;
    let ready = false;
    let written = false;
    const hear = (message: FromHintThread) => {
      if (message.kind === 'ended') {
        written = message.written;
        return;
      }
      ready = true;
      thread?.post({ directory, segment: { ...segment } } satisfies HintRequest);
    };
    try {
      thread = startThread(module, maxHeapMb, {
        message: (message) => hear(message as FromHintThread),
        ended: (error) => {
          if (ready) resolve(written);
          else reject(new NoHintThread(String(error), { cause: error }));
        },
      });
    } catch (error) {
      reject(new NoHintThread(String(error), { cause: error }));
    }
  });
}
