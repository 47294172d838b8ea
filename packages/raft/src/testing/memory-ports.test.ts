import { createManualClock } from '@shanghai/env/testing';
import { describe, test } from 'vitest';
import { hostLogContract } from './host-log-contract.js';
import { MemoryHostLog } from './memory-host-log.js';
import { MemoryPeerNetwork } from './memory-peer-network.js';
import { MemoryStateMachine } from './memory-state-machine.js';
import { peerTransportContract } from './peer-transport-contract.js';
import { stateMachineContract } from './state-machine-contract.js';

describe('the network in memory', () => {
  for (const { name, run } of peerTransportContract) {
    test(name, () =>
      run(async () => {
        const clock = createManualClock();
        const network = new MemoryPeerNetwork({ clock });
        return {
          first: network.transport(1),
          second: network.transport(2),
          peers: [1, 2, 3].map((nodeId) => ({ nodeId, address: `${nodeId}` })),
          until: async (isDone) => {
            for (let i = 0; i < 20 && !isDone(); i++) await clock.advance(1);
            if (!isDone()) throw new Error('it did not come');
          },
        };
      }),
    );
  }
});

describe('the logs in memory', () => {
  for (const { name, run } of hostLogContract) {
    test(name, () =>
      run(async () => {
        const log = new MemoryHostLog(createManualClock());
        return {
          log,
          reopen: async () => {
            log.crash();
            return log;
          },
          setFull: (isFull) => {
            log.isFull = isFull;
          },
        };
      }),
    );
  }
});

describe('the state machine in memory', () => {
  const subject = { open: async () => new MemoryStateMachine(), command: (number: number) => Uint8Array.of(number, 7) };
  for (const { name, run } of stateMachineContract) test(name, () => run(async () => subject));
});
