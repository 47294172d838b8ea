import type { LogTailRequest, LogTailResponse } from '@shanghai/proto';
import type { LogTailOptions } from '../named-logs.js';
import { type PageEntries, pageEntries } from '../wire/page-entries.js';
import type { CallEnvironment } from './call-environment.js';
import type { TailPages } from './entry-tail.js';
import { resumeStream } from './resumable-stream.js';

/** Pages of a tail over as many connections as it takes. `nextRequest` goes on behind what was given. */
export async function* tailPages(
  environment: CallEnvironment,
  { at, signal, order }: LogTailOptions,
  nextRequest: () => LogTailRequest,
): ReturnType<TailPages['pages']> {
  let opened: PageEntries | undefined;
  const messages = resumeStream(environment, {
    method: 'tailLog',
    servedBy: at ?? 'replica',
    endsByItself: false,
    reconnectMs: environment.options.streamReconnectMs,
    signal,
    nextRequest,
    // Within the stream, so that what was damaged on its way is asked for again.
    check: (message: LogTailResponse) => {
      opened = pageEntries(message, order);
    },
  });
  for await (const message of messages) yield { message, entries: opened as PageEntries };
}
