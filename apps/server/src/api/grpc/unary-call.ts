import type { handleUnaryCall } from '@grpc/grpc-js';
import type { ShanghaiNode } from '../../node.js';
import { ServerError } from '../../requests/server-error.js';
import type { ApiServices } from '../api-services.js';
import { CallContext } from './call-context.js';
import { grpcFailure } from './grpc-failure.js';
import { requireDecoded } from './tolerant-service.js';

/** What answers one procedure. */
export type UnaryHandler<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;

/** Wraps a handler: context, errors by the table, metrics. Every unary call passes here, so it does little. */
export function unaryCall<Request, Response>(
  services: ApiServices,
  method: string,
  handle: UnaryHandler<Request, Response>,
): handleUnaryCall<Request, Response> {
  const recorder = services.requests.recorder('grpc', method);
  const answer = async (request: Request, context: CallContext) => {
    requireDecoded(request);
    if (context.fromCluster !== undefined) requireSameCluster(context.fromCluster, services);
    return await handle(request, context);
  };
  return (call, callback) => {
    const startedMs = services.monotonicMs();
    const context = new CallContext(call, services, true);
    answer(call.request, context).then(
      (response) => {
        context.finish();
        recorder.finished(startedMs, context.lostTo ?? 'OK');
        callback(null, response, context.trailer);
      },
      (error: unknown) => {
        context.finish();
        const { failure, code } = grpcFailure(error, context.correlationId, method, services.logger);
        recorder.finished(startedMs, code);
        callback(failure);
      },
    );
  };
}

/** Ids of clusters by node: `status` gathers much more than that. */
const clusterIds = new WeakMap<ShanghaiNode, string>();

/** A node passes requests on to addresses of its node table, which may have become those of another cluster: `CLUSTER_ERROR`. */
export function requireSameCluster(clusterId: string, services: ApiServices): void {
  const { node } = services;
  const own = clusterIds.get(node) ?? node.status().clusterId;
  clusterIds.set(node, own);
  if (clusterId === own) return;
  throw new ServerError('CLUSTER_ERROR', `this is cluster '${own}', not '${clusterId}'; nothing was done`);
}
