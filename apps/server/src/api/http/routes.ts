import { adminRoutes } from './admin-routes.js';
import { batchRoute } from './batch-route.js';
import { gossipRoutes } from './gossip-routes.js';
import { groupRoutes } from './group-routes.js';
import type { HttpRoute } from './http-route.js';
import { keyRoutes } from './key-routes.js';
import { keyspaceRoutes } from './keyspace-routes.js';
import { logEntryRoutes } from './log-entry-routes.js';
import { logRoutes } from './log-routes.js';
import { logTailRoute } from './log-tail-route.js';
import { memberRoutes } from './member-routes.js';
import { probeRoutes } from './probe-routes.js';
import { rangeRoute } from './range-route.js';
import { replicationRoutes } from './replication-routes.js';
import { sessionRoute } from './session-route.js';
import { statusRoutes } from './status-routes.js';

/** Every route but the API description, which is made from them. */
export const routes: readonly HttpRoute[] = [
  ...keyRoutes,
  rangeRoute,
  batchRoute,
  sessionRoute,
  ...logRoutes,
  ...logEntryRoutes,
  logTailRoute,
  ...statusRoutes,
  ...probeRoutes,
  ...adminRoutes,
  ...groupRoutes,
  ...memberRoutes,
  ...keyspaceRoutes,
  ...replicationRoutes,
  ...gossipRoutes,
];
