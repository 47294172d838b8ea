import type { GrpcPeersListener } from '@shanghai/raft/grpc';
import type { Logger, Metrics } from '@shanghai/telemetry';

/** Events of the connections between nodes → metrics and log lines. */
export function observePeers(metrics: Metrics, logger: Logger): GrpcPeersListener {
  const streams = metrics.gauge({
    name: 'peer_streams',
    help: 'Streams to and from other nodes that are open.',
    labels: ['lane', 'direction'],
  });
  const bytes = metrics.counter({
    name: 'peer_bytes_total',
    help: 'Bytes of frames sent to and received from other nodes.',
    labels: ['lane', 'direction'],
  });
  const refusals = metrics
    .counter({ name: 'peer_refusals_total', help: 'Peers refused, or that refused this node.' })
    .series();
  const blocked = metrics
    .counter({ name: 'peer_blocked_total', help: 'Times that frames were dropped because a peer did not read.' })
    .series();
  const repeats = new Repeats();
  const open = new Map<string, number>();
  const count = (lane: string, direction: string, by: number) => {
    const key = `${lane}/${direction}`;
    const now = Math.max(0, (open.get(key) ?? 0) + by);
    open.set(key, now);
    streams.set(now, { lane, direction });
  };
  const lanes = ['control', 'log', 'snapshot'] as const;
  const series = (direction: 'in' | 'out') =>
    Object.fromEntries(lanes.map((lane) => [lane, bytes.series({ lane, direction })])) as Record<
      (typeof lanes)[number],
      ReturnType<typeof bytes.series>
    >;
  const sent = series('out');
  const received = series('in');
  return {
    connected: ({ nodeId, lane, direction }) => {
      count(lane, direction, 1);
      logger.debug({ nodeId, lane, direction }, 'a stream to another node is open');
    },
    disconnected: ({ nodeId, lane, direction, reason }) => {
      count(lane, direction, -1);
      logger.debug({ nodeId, lane, direction, reason }, 'a stream to another node has ended');
    },
    unreachable: ({ nodeId, lane, address, reason }) => {
      if (lane === 'control') logger.warn({ nodeId, address, reason }, 'a node cannot be reached');
    },
    refused: ({ nodeId, lane, direction, address, reason }) => {
      refusals.add();
      const what = direction === 'in' ? 'a peer was refused' : 'another node refused this one';
      const { times, isNews } = repeats.count(`${direction} ${nodeId} ${lane} ${reason}`);
      const event = { nodeId, lane, address, reason, times };
      if (isNews) logger.warn(event, what);
      else logger.debug(event, what);
    },
    blocked: ({ nodeId, lane, waitingBytes }) => {
      blocked.add();
      logger.warn({ nodeId, lane, waitingBytes }, 'a node does not read what is sent to it; frames are dropped');
    },
    sent: (_nodeId, lane, count) => sent[lane].add(count),
    received: (_nodeId, lane, count) => received[lane].add(count),
  };
}

/** Texts that are counted. Of more, those seen least lately are forgotten. */
const maxTexts = 256;
/** So many different ones are told each. */
const quietTexts = 64;

/**
 * How often something was said. Who is refused asks again every few seconds, for as long as nobody mends it: a line for
 * the first, second, fourth, eighth … time tells as much and fills no disk. A stranger can say something else each time:
 * so the texts that are new are counted too, and beyond some told as rarely.
 */
class Repeats {
  readonly #counts = new Map<string, number>();
  #texts = 0;

  /** `isNews`: worth a line. */
  count(text: string): { readonly times: number; readonly isNews: boolean } {
    const times = (this.#counts.get(text) ?? 0) + 1;
    if (times === 1) this.#texts++;
    const isRare = this.#texts <= quietTexts || isPowerOfTwo(this.#texts);
    this.#counts.delete(text);
    this.#counts.set(text, times);
    if (this.#counts.size > maxTexts) this.#counts.delete(this.#counts.keys().next().value as string);
    return { times, isNews: isPowerOfTwo(times) && (times > 1 || isRare) };
  }
}

function isPowerOfTwo(count: number): boolean {
  return (count & (count - 1)) === 0;
}
