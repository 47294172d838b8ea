import { describe, test } from 'vitest';
import { MemoryNetwork } from './memory-network.js';
import { MemoryStateMachine } from './memory-state-machine.js';
import { stateMachineContract } from './state-machine-contract.js';
import { transportContract } from './transport-contract.js';

describe('the network in memory', () => {
  for (const { name, run } of transportContract) {
    test(name, () =>
      run(async () => {
        const network = new MemoryNetwork();
        return {
          first: network.transport(1),
          second: network.transport(2),
          settle: async () => {
            network.deliver();
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
