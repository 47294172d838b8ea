import { expect, test } from 'vitest';
import { ServerError } from './server-error.js';
import { decodeWatchPosition, encodeWatchPosition } from './watch-position.js';

test('a position with a revision that no cluster reaches is the mistake of who sent it', () => {
  const position = encodeWatchPosition([{ groupId: 1, revision: 7 }]);
  position[15] = 0x40;
  expect(() => decodeWatchPosition(position)).toThrow(ServerError);
});
