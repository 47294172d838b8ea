import { createSeededRandom } from '@shanghai/env';
import { createManualClock } from '@shanghai/env/testing';
import { describe, it } from 'vitest';
import { membershipTransportContract } from './membership-transport-contract.js';
import { createMemoryNetwork } from './memory-network.js';

describe('the network in memory', () => {
  for (const { name, run } of membershipTransportContract) {
    it(name, () =>
      run(async () => {
        const clock = createManualClock();
        const network = createMemoryNetwork({ clock, random: createSeededRandom(3) });
        const until = async (isDone: () => boolean) => {
          for (let i = 0; !isDone(); i++) {
            if (i > 1_000) throw new Error('it did not come');
            await clock.advance(10);
          }
        };
        const [first, second] = [network.transport(1, 'a:1'), network.transport(2, 'a:2')];
        return { first, second, firstAddress: 'a:1', secondAddress: 'a:2', nowhere: 'a:9', until };
      }),
    );
  }
});
