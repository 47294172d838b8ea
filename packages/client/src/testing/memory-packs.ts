import type {
  LogAppendPack,
  LogAppendRequest,
  LogAppendResponse,
  LogPackRange,
  LogPipelineRequest,
  LogPipelineResponse,
} from '@shanghai/proto';
import { ClientError } from '../client-error.js';
import { readPackedRecords } from '../wire/pack-wire.js';
import { detailOf } from './memory-error.js';

type Append = (request: LogAppendRequest) => LogAppendResponse;

/** What a node in memory answers to a request of the stream of appends. */
export function answerLogRequest({ id, request }: LogPipelineRequest, append: Append): LogPipelineResponse {
  try {
    if (request?.$case === 'append') return { id, response: { $case: 'append', value: append(request.value) } };
    if (request?.$case !== 'pack') throw new ClientError('INVALID_REQUEST', 'no append');
    return {
      id,
      response: { $case: 'pack', value: { origin: 0n, epoch: 1n, ranges: answerPack(request.value, append) } },
    };
  } catch (error) {
    return { id, response: { $case: 'error', value: detailOf(error) } };
  }
}

/** Each append as one of its own; what moves the whole pack elsewhere is thrown before anything was appended. */
function answerPack(pack: LogAppendPack, append: Append): LogPackRange[] {
  const { log, acknowledgement, counts } = pack;
  const records = readPackedRecords(pack.records);
  const ranges: LogPackRange[] = [];
  for (let [at, place] = [0, 0]; at < records.length; place++) {
    const count = counts[place] ?? 1;
    const request = { log, acknowledgement, records: records.slice(at, at + count), producer: undefined };
    at += count;
    try {
      const { firstSequence, timeMs } = append(request);
      const last = ranges.at(-1);
      // Nothing comes between the appends of a pack.
      if (last !== undefined && last.error === undefined) last.appends++;
      else ranges.push({ appends: 1, firstSequence, timeMs, error: undefined });
    } catch (error) {
      if (ranges.every((range) => range.error !== undefined)) throw error;
      ranges.push({ appends: 1, firstSequence: 0n, timeMs: 0n, error: detailOf(error) });
    }
  }
  return ranges;
}
