import type { ListenAddresses } from './api/api-services.js';
import type { Config } from './config/config-options.js';

/** What a person who started the server reads: where it listens and what to try. Goes to standard error; standard output is for log lines. */
export function banner(version: string, nodeId: number, config: Config, addresses: ListenAddresses): string {
  const { http, grpc } = addresses;
  const put = `curl -X PUT http://${http}/kv/hello -H 'Content-Type: application/json' -d '{"value":"world"}'`;
  const durability = config.durability === 'always' ? '' : `, durability ${config.durability}`;
  return `
  shanghai ${version} · node ${nodeId} · data in ${config.dataDir}${durability}

    HTTP  http://${http}   API: /openapi.json   metrics: /metrics
    gRPC  ${grpc}

  Try:
    ${put}
    curl http://${http}/kv/hello
    curl http://${http}/status

  Ctrl-C stops.

`;
}
