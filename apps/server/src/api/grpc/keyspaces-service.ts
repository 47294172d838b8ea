import { type KeyspacesServer, VerdictDecision } from '@shanghai/proto';
import type { KeyspaceRequests } from '../../keyspaces/keyspace-requests.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { conflictMessage, heldMessage, keyspaceMessage, modeOfMessage } from './keyspace-messages.js';
import { unaryCall } from './unary-call.js';
import { safeNumber } from './wire-numbers.js';

/** The Keyspaces service. */
export function keyspacesService(services: ApiServices): KeyspacesServer {
  const keyspaces = () => requireKeyspaces(services);
  return {
    createKeyspace: unaryCall(services, 'Keyspaces/CreateKeyspace', async ({ name, mode }, context) => ({
      keyspace: keyspaceMessage(await keyspaces().create(name, modeOfMessage(mode), context)),
    })),
    deleteKeyspace: unaryCall(services, 'Keyspaces/DeleteKeyspace', async ({ name }, context) => {
      await keyspaces().delete(name, context);
      return {};
    }),
    listKeyspaces: unaryCall(services, 'Keyspaces/ListKeyspaces', async (_request, context) => ({
      keyspaces: keyspaces().list(context).map(keyspaceMessage),
    })),
    listConflicts: unaryCall(services, 'Keyspaces/ListConflicts', async ({ keyspace, limit }, context) => {
      const { conflicts, found } = keyspaces().conflicts(keyspace, limit, context);
      return { conflicts: conflicts.map(conflictMessage), found: BigInt(found) };
    }),
    listHeld: unaryCall(services, 'Keyspaces/ListHeld', async ({ keyspace, limit }, context) => {
      const { entries, held } = keyspaces().held(keyspace, limit, context);
      return { entries: entries.map(heldMessage), held: BigInt(held) };
    }),
    giveVerdict: unaryCall(services, 'Keyspaces/GiveVerdict', async (request, context) => {
      const { keyspace, decision } = request;
      const firstSequence = safeNumber(request.firstSequence, 'first_sequence');
      const lastSequence = safeNumber(request.lastSequence, 'last_sequence');
      const verdict = {
        ...{ keyspace, decision: decisionOf(decision), firstSequence },
        origin: safeNumber(request.origin, 'origin'),
        epoch: safeNumber(request.epoch, 'epoch'),
        lastSequence: lastSequence === 0 ? firstSequence : lastSequence,
      };
      return { entries: BigInt(await keyspaces().giveVerdict(verdict, context)) };
    }),
  };
}

/** The keyspaces of the node, or `UNSUPPORTED`. */
export function requireKeyspaces({ node }: ApiServices): KeyspaceRequests {
  if (node.keyspaces === undefined) throw new ServerError('UNSUPPORTED', 'this node has one keyspace alone');
  return node.keyspaces;
}

function decisionOf(decision: VerdictDecision): 'accept' | 'drop' {
  if (decision === VerdictDecision.VERDICT_DECISION_ACCEPT) return 'accept';
  if (decision === VerdictDecision.VERDICT_DECISION_DROP) return 'drop';
  throw new ServerError('INVALID_REQUEST', 'a verdict says accept or drop');
}
