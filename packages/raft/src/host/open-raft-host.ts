import { Host } from './host.js';
import type { HostOptions } from './host-options.js';
import type { RaftHost } from './raft-host.js';

/**
 * Opens the host of a node: it hears and ticks from then on; groups are opened one by one. Throws `RangeError` for options
 * out of range.
 */
export async function openRaftHost(options: HostOptions): Promise<RaftHost> {
  const host = new Host(options);
  host.start();
  return host;
}
