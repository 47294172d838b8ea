import { fromJSON, type PackageDefinition } from '@grpc/proto-loader';

/**
 * The standard health service (grpc.health.v1) as reflection tells of it, without `List`: the library that serves
 * reflection describes maps in a form that clients refuse, and `List` answers with one.
 */
export function healthDescription(): PackageDefinition {
  const Check = { requestType: 'HealthCheckRequest', responseType: 'HealthCheckResponse' };
  const v1 = {
    Health: { methods: { Check, Watch: { ...Check, responseStream: true } } },
    HealthCheckRequest: { fields: { service: { type: 'string', id: 1 } } },
    HealthCheckResponse: {
      fields: { status: { type: 'ServingStatus', id: 1 } },
      nested: { ServingStatus: { values: { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } } },
    },
  };
  const health = { nested: { v1: { nested: v1 } } };
  // The declared type knows no package within a package, which the function does.
  return fromJSON({ nested: { grpc: { nested: { health } } } } as unknown as Parameters<typeof fromJSON>[0]);
}
