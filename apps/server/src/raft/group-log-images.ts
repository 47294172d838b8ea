/** The files of logs and streams that belong to a group's state, by the names they have in its snapshots. */
import type { StateMachine } from '../apply/state-machine.js';
import type { LogFileImage } from '../logs/log-file-image.js';
import type { LogFiles } from '../logs/log-files.js';
import { isUnread, type LogPlace, nameOf, streamPlace } from '../logs/log-place.js';

/** A log, or a stream, as its group knows it. */
export interface GroupLog {
  readonly place: LogPlace;
  readonly firstSequence: number;
  readonly lastSequence: number;
}

/** The logs of which a group's state says something, streams among them. */
export function groupLogs({ logs, streams }: Pick<StateMachine, 'logs' | 'streams'>): GroupLog[] {
  const found: GroupLog[] = [];
  for (const logId of logs.ids()) {
    const log = logs.get(logId);
    if (log === undefined) continue;
    const { origin, firstSequence, lastSequence } = log;
    found.push({ place: { logId, origin }, firstSequence, lastSequence });
  }
  for (const stream of streams.all()) {
    const { firstSequence, lastSequence } = stream;
    found.push({ place: streamPlace(stream), firstSequence, lastSequence });
  }
  return found;
}

/** Their ids, each once. */
export function groupLogIds({ logs, streams }: Pick<StateMachine, 'logs' | 'streams'>): number[] {
  return [...new Set([...logs.ids(), ...streams.logIds()])];
}

/** What their files hold now, which must be held. Rejects with `DATA_CORRUPTED` where one is damaged. */
export async function groupLogImages(
  machine: Pick<StateMachine, 'logs' | 'streams'>,
  files: LogFiles,
): Promise<ReadonlyMap<string, LogFileImage>> {
  const images = new Map<string, LogFileImage>();
  for (const { place, ...held } of groupLogs(machine)) {
    // Of a stream all that came may be gone; then it has no files that anybody needs.
    if (held.lastSequence === 0 || isUnread(place, held)) continue;
    for (const image of await files.image(place, held.firstSequence)) {
      images.set(`logs/${nameOf(place)}/${image.name}`, image);
    }
  }
  return images;
}
