import type { LogTailResponse } from '@shanghai/proto';
import type { LogEntry } from '../named-logs.js';
import type { PageEntries } from '../wire/page-entries.js';

/** Pages that come, and who remembers what was given of them. */
export interface TailPages {
  /** A page and its entries; the next one is asked for when all of it was given. */
  pages(): AsyncGenerator<{ readonly message: LogTailResponse; readonly entries: PageEntries }, void, undefined>;
  /** Called before an entry is given: whoever got it must not get it again. False where it was given before. */
  give(entry: LogEntry): boolean;
  /** A page was given wholly. */
  passed(message: LogTailResponse): void;
}

/** The entries of a tail, decoded as they are asked for. An iterator by hand was measured and is no faster. */
export async function* entryTail(source: TailPages): AsyncGenerator<LogEntry, void, undefined> {
  for await (const { message, entries } of source.pages()) {
    for (let entry = entries.next(); entry !== undefined; entry = entries.next()) {
      if (source.give(entry)) yield entry;
    }
    source.passed(message);
  }
}
