import { leaderNamedBy } from '../raft/proposal-refusals.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';

/**
 * Does a request here, and where this node refuses because it does not lead, at the leader that the refusal names: once,
 * and only where the request was not passed on already. A request that this node takes costs one promise more.
 */
export function hereOrAtLeader<T>(
  context: RequestContext,
  here: () => Promise<T>,
  there: (leader: string) => Promise<T>,
): Promise<T> {
  return here().catch((error: unknown) => {
    const named = error instanceof ServerError ? leaderNamedBy(error) : undefined;
    if (named === undefined || named.leader === '' || context.mayForward !== true) throw error;
    context.passedOn?.({ grpc: named.leader, http: named.leaderHttp });
    return there(named.leader);
  });
}
