import { memberStates } from '@shanghai/membership';
import type { Logger, Metrics } from '@shanghai/telemetry';
import type { GossipEvent } from '../membership/node-gossip.js';
import type { NodeMembershipListener } from '../membership/node-membership.js';

/** What is bad news, or asks for somebody. */
const warnings: ReadonlySet<string> = new Set([
  'suspect',
  'down',
  'isolated',
  'refuted',
  'stalled',
  'name_conflict',
  'superseded',
  'expelled',
  'refused',
]);

/** Who is there and alive → metrics and log lines. */
export function observeMembership(metrics: Metrics, logger: Logger): NodeMembershipListener {
  const members = metrics.gauge({
    name: 'members',
    help: 'Members as this node sees them by gossip, itself among them.',
    labels: ['state'],
  });
  const isolated = metrics.gauge({ name: 'member_isolated', help: '1: this node hears nobody.' });
  const events = metrics.counter({
    name: 'member_events_total',
    help: 'What this node was told of members, or noticed of itself.',
    labels: ['type'],
  });
  const frames = metrics.counter({
    name: 'member_frames_total',
    help: 'Frames of gossip sent and received.',
    labels: ['direction'],
  });
  const bytes = metrics.counter({
    name: 'member_bytes_total',
    help: 'Bytes of gossip sent and received.',
    labels: ['direction'],
  });
  const series = (direction: 'in' | 'out') => [frames.series({ direction }), bytes.series({ direction })] as const;
  const [sent, received] = [series('out'), series('in')];
  return {
    event(event) {
      events.series({ type: event.type }).add(1);
      say(logger, event);
    },
    seen(states, isIsolated) {
      for (const state of memberStates) members.set(states.filter((one) => one === state).length, { state });
      isolated.set(isIsolated ? 1 : 0);
    },
    sent(_type, size, receivers) {
      sent[0].add(receivers);
      sent[1].add(receivers * size);
    },
    received(_type, size) {
      received[0].add(1);
      received[1].add(size);
    },
    unreadable: (from, error) => logger.warn({ nodeId: from, err: error }, 'a frame of gossip cannot be read'),
    failed: (error) => logger.warn({ err: error }, 'what is known of members could not be kept; it is tried again'),
  };
}

function say(logger: Logger, { type, nodeId, name, address, before, detail }: GossipEvent): void {
  const fields = { nodeId, name, address, ...(before === '' ? {} : { before }), ...(detail === '' ? {} : { detail }) };
  const text = `member ${type.replace('_', ' ')}`;
  if (warnings.has(type)) logger.warn(fields, text);
  else if (type === 'joined' || type === 'changed') logger.debug(fields, text);
  else logger.info(fields, text);
}
