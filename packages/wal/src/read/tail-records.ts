import type { LogState } from '../log-state.js';
import type { Lsn, TailRange, WalEntry } from '../wal.js';
import { WalError } from '../wal-error.js';
import type { LogReader } from './log-reader.js';

/**
 * Records from `from` on, and then those that come. Reads only when asked for the next record, so a reader that stops
 * costs a position and nothing else. Ends when the signal aborts or the log closes.
 */
export async function* tailRecords(
  state: LogState,
  reader: LogReader,
  from: Lsn,
  range: Pick<TailRange, 'stream' | 'signal'>,
): AsyncGenerator<WalEntry, void, void> {
  const { stream, signal } = range;
  const choice = stream === undefined ? {} : { stream };
  let lsn = from;
  try {
    while (!state.closed && !signal?.aborted) {
      const end = state.readableLsn + 1;
      for await (const entry of reader.records(lsn, end, choice)) {
        if (signal?.aborted) return;
        yield entry;
        if (signal?.aborted) return;
      }
      lsn = Math.max(lsn, end);
      if (state.readableLsn < lsn) await change(state, signal);
    }
  } catch (error) {
    if (!(error instanceof WalError && error.code === 'WAL_CLOSED')) throw error;
  }
}

/** Resolves when more is readable, the log closes, or the signal aborts. */
function change(state: LogState, signal: AbortSignal | undefined): Promise<void> {
  if (state.closed || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      signal?.removeEventListener('abort', done);
      forget();
      resolve();
    };
    const forget = state.onChange(done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
