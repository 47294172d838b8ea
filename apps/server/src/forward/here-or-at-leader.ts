import { leaderNamedBy } from '../raft/proposal-refusals.js';
import type { RequestContext } from '../requests/request-context.js';
import { ServerError } from '../requests/server-error.js';
import type { LeaderPatience } from './leader-patience.js';

/**
 * Does a request here, and where this node refuses because it does not lead, at the leader that the refusal names: once,
 * and only where the request was not passed on already. What both refuse for want of a leader is tried again as long as
 * `patience` says. A request that this node takes costs one promise more.
 */
export function hereOrAtLeader<T>(
  context: RequestContext,
  here: () => Promise<T>,
  there: (leader: string) => Promise<T>,
  patience?: LeaderPatience,
): Promise<T> {
  const passOn = (error: unknown): Promise<T> => {
    const named = error instanceof ServerError ? leaderNamedBy(error) : undefined;
    if (named === undefined || named.leader === '' || context.mayForward !== true) return Promise.reject(error);
    context.passedOn?.({ grpc: named.leader, http: named.leaderHttp });
    return there(named.leader);
  };
  if (patience === undefined || context.mayForward !== true) return here().catch(passOn);
  const once = () => here().catch(passOn);
  return here().catch((error: unknown) =>
    passOn(error).catch((refusal: unknown) => patience.again(context, once, refusal)),
  );
}
