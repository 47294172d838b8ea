import type { StreamId } from './entry-id.js';
import type { Run } from './run.js';
import type { OriginMark, StreamPosition } from './stream-position.js';

/**
 * What is said on the lane of control. `positions`: what the sender durably holds; the first ones of a session are all it
 * holds, in one or several messages of which `isComplete` marks the last, later ones are changes. `marks`: what it knows of
 * origins, in the same way changes after the first. `want`: of which origins the follower wants entries from now on, all of
 * them. `grant`: how much more may be shipped than was allowed before.
 */
export type ControlMessage =
  | { readonly type: 'positions'; readonly positions: readonly StreamPosition[]; readonly isComplete: boolean }
  | { readonly type: 'marks'; readonly marks: readonly OriginMark[] }
  | { readonly type: 'want'; readonly origins: readonly number[] }
  | { readonly type: 'grant'; readonly entries: number; readonly bytes: number };

/**
 * What a source ships. `run`: entries. `mark`: all that it covers went out before, or the follower had it. `rows`: a page that
 * stands for entries which were trimmed; `trimmed`: nothing of the stream before this entry comes any more.
 */
export type DataMessage =
  | { readonly type: 'run'; readonly run: Run }
  | { readonly type: 'mark'; readonly mark: OriginMark }
  | { readonly type: 'rows'; readonly logId: number; readonly rows: Uint8Array }
  | { readonly type: 'trimmed'; readonly stream: StreamId; readonly firstSequence: number };
