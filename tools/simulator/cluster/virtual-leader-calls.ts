/** How a node passes requests on to a leader: a call to another process, on a connection of its own. */
import type { Random } from '@shanghai/env';
import { type LeaderCalls, type RequestContext, ServerError, type ShanghaiNode } from '@shanghai/server/testing';
import { type ConnectionEnd, VirtualConnection } from './virtual-connection.js';
import type { VirtualNetwork } from './virtual-network.js';
import type { VirtualWorld } from './virtual-world.js';

/** A process that can be asked. */
export interface AskedProcess extends ConnectionEnd {
  readonly node: ShanghaiNode;
  whenGone(callback: () => void): void;
}

/** What calls stand on. */
export interface LeaderCallsParts {
  readonly world: VirtualWorld;
  readonly network: VirtualNetwork;
  readonly random: Random;
  readonly self: ConnectionEnd;
  /** Who serves at an address now, and the node that should. */
  find(address: string): { readonly nodeId: number; readonly process: AskedProcess | undefined };
}

/** The calls of one process. */
export function virtualLeaderCalls(parts: LeaderCallsParts): LeaderCalls {
  const ask = <Answer>(address: string, request: (node: ShanghaiNode) => Promise<Answer>): Promise<Answer> =>
    asked(parts, address, request);
  return {
    openSession: (leader, ttlMs, context) =>
      ask(leader, ({ keyValue }) => keyValue.openSession(ttlMs, passedOn(context))),
    write: (leader, request, write, context) =>
      ask(leader, ({ keyValue }) => keyValue.write(request, write, passedOn(context))),
    createLog: (leader, name, settings, context) =>
      ask(leader, ({ logs }) => logs.create(name, settings, passedOn(context))),
    deleteLog: (leader, name, context) => ask(leader, ({ logs }) => logs.delete(name, passedOn(context))),
    appendLog: (leader, request, context) => ask(leader, ({ logs }) => logs.append(request, passedOn(context))),
    logUpkeep: (leader) => {
      const asked = <T>(work: (upkeep: NonNullable<ShanghaiNode['logUpkeep']>) => Promise<T>) =>
        ask(leader, ({ logUpkeep }) => {
          if (logUpkeep === undefined) throw new ServerError('UNSUPPORTED', 'it keeps no consumers');
          return work(logUpkeep);
        });
      return {
        trim: (request, context) => asked((upkeep) => upkeep.trim(request, passedOn(context))),
        commit: (request, context) => asked((upkeep) => upkeep.commit(request, passedOn(context))),
        seek: (request, context) => asked((upkeep) => upkeep.seek(request, passedOn(context))),
        deleteConsumer: (log, consumer, context) =>
          asked((upkeep) => upkeep.deleteConsumer(log, consumer, passedOn(context))),
      };
    },
    proposeCatalogue: (leader, change) =>
      ask(leader.grpcAddress, (node) => {
        if (node.proposeCatalogue === undefined) throw new ServerError('UNSUPPORTED', 'it takes no changes');
        return node.proposeCatalogue(change);
      }),
    advanceTime: (leader, groupId) =>
      ask(leader, (node) => {
        if (node.advanceTime === undefined) throw new ServerError('UNSUPPORTED', 'it leads nothing for others');
        return node.advanceTime(groupId);
      }),
    checkMember: (address, nodeId, instanceId) =>
      ask(address, async (node) => {
        if (node.members === undefined) throw new ServerError('UNSUPPORTED', 'it has no cluster');
        return node.members.check(nodeId, instanceId);
      }),
    close: () => undefined,
  };
}

/** Asks the node at an address, on a connection of its own. */
export function asked<Answer>(
  { world, network, random, self, find }: LeaderCallsParts,
  address: string,
  request: (node: ShanghaiNode) => Promise<Answer>,
): Promise<Answer> {
  const { nodeId, process } = find(address);
  if (process === undefined || network.isCut(self.id, nodeId)) {
    return Promise.reject(new ServerError('CLUSTER_ERROR', `node ${nodeId} cannot be reached; nothing was done`));
  }
  const connection = new VirtualConnection({ world, network, random, client: self, server: process });
  process.whenGone(() => connection.break());
  return new Promise((resolve, reject) => {
    const forget = connection.whenBroken(() =>
      reject(new ServerError('OUTCOME_UNKNOWN', `node ${nodeId} was asked and gave no answer`)),
    );
    const settle = (end: () => void) =>
      connection.back(() => {
        forget();
        end();
      });
    connection.there(() => {
      request(process.node).then(
        (answer) => settle(() => resolve(answer)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  });
}

/** Nothing is passed on a second time. */
function passedOn(context: RequestContext): RequestContext {
  const { signal, isCancelled, correlationId } = context;
  return { signal, isCancelled, correlationId, mayForward: false };
}
