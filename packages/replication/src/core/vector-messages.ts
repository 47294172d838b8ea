import type { ControlMessage } from './message.js';
import type { StreamPosition } from './stream-position.js';

/** Positions of one message: some 30 bytes each, and so well below a frame. */
const positionsPerMessage = 8_192;

/** Positions in as many messages as it takes, and one at least. */
export function positionMessages(all: Iterable<StreamPosition>): ControlMessage[] {
  const messages: ControlMessage[] = [];
  const positions = [...all];
  let at = 0;
  do {
    const piece = positions.slice(at, at + positionsPerMessage);
    at += positionsPerMessage;
    messages.push({ type: 'positions', positions: piece, isComplete: at >= positions.length });
  } while (at < positions.length);
  return messages;
}
