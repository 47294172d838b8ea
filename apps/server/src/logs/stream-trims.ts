/**
 * What a trim by hand of a log that every node writes gives up: of each stream the last entry that goes. Refused where a member is
 * not known to hold it, for whoever lacks it then never gets it.
 */
import type { LogPosition } from '../apply/consumer-table.js';
import type { MultiMaster } from '../replication/multi-master.js';
import { checkCount, invalidRequest } from '../requests/request-checks.js';
import { ServerError } from '../requests/server-error.js';
import type { LogFiles } from './log-files.js';
import { streamPlace } from './log-place.js';
import type { LogDescription } from './log-requests.js';
import type { LogTrim } from './log-upkeep-requests.js';
import { resolvedPositions } from './stream-positions.js';
import { sequenceAtTime } from './stream-reads.js';

/** What it stands on. */
export interface StreamTrimParts {
  readonly multiMaster: MultiMaster;
  readonly files: LogFiles;
}

/** The last entry that goes of each stream of which any does. */
export async function trimmedPositions(
  request: LogTrim,
  log: LogDescription,
  parts: StreamTrimParts,
): Promise<readonly LogPosition[]> {
  const positions = await wanted(request, log, parts.files);
  for (const position of positions) {
    checkHere(log, position);
    if (request.force !== true) checkHeldByAll(log, position, parts.multiMaster);
  }
  return positions;
}

async function wanted(request: LogTrim, log: LogDescription, files: LogFiles): Promise<readonly LogPosition[]> {
  const { origin, firstSequence, positions = [], beforeMs } = request;
  const said = [firstSequence > 0, positions.length > 0, beforeMs !== undefined].filter(Boolean).length;
  if (said !== 1) throw invalidRequest('a trim names a first sequence, positions or a time, one of them');
  if (beforeMs !== undefined) return before(log, beforeMs, files);
  if (positions.length > 0) return resolvedPositions(log, positions);
  if (origin === 0) {
    throw invalidRequest(`log '${log.name}' has many origins: name one with the sequence, or positions, or a time`);
  }
  return resolvedPositions(log, [{ origin, epoch: 0, sequence: firstSequence - 1 }]);
}

/** What is older, by the stamps. */
async function before({ logId, origins }: LogDescription, timeMs: number, files: LogFiles): Promise<LogPosition[]> {
  checkCount('time', timeMs, 0);
  const positions: LogPosition[] = [];
  for (const { origin, epoch, firstSequence, lastSequence } of origins) {
    if (firstSequence > lastSequence) continue;
    const next = await files.use(streamPlace({ logId, origin, epoch }), (wal) =>
      sequenceAtTime(wal, firstSequence, lastSequence, timeMs),
    );
    if (next > firstSequence) positions.push({ origin, epoch, sequence: next - 1 });
  }
  return positions;
}

function checkHere({ name, origins }: LogDescription, { origin, epoch, sequence }: LogPosition): void {
  const held = origins.find((each) => each.origin === origin && each.epoch === epoch);
  const { firstSequence = 1, lastSequence = 0 } = held ?? {};
  if (sequence <= lastSequence) return;
  throw new ServerError(
    'OUT_OF_RANGE',
    `log '${name}' holds sequences ${firstSequence} to ${lastSequence} of origin ${origin}, epoch ${epoch} here, the trim names ${sequence}`,
    { details: { origin, epoch, firstSequence, lastSequence } },
  );
}

function checkHeldByAll({ name, logId }: LogDescription, position: LogPosition, multiMaster: MultiMaster): void {
  const { origin, epoch, sequence } = position;
  const heldByAll = multiMaster.heldByAll({ logId, origin, epoch });
  if (sequence <= heldByAll) return;
  throw new ServerError(
    'CONFLICT',
    `of log '${name}', origin ${origin}, epoch ${epoch}, all members are known to hold the entries up to ${heldByAll}, the trim names ${sequence}: ` +
      'wait until they have caught up, or force it, and whoever lacks them never gets them',
    { details: { origin, epoch, heldByAll, sequence } },
  );
}
