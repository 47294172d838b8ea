import { readFileSync } from 'node:fs';
import type { Host } from './command-host.js';
import type { Terminal } from './terminal.js';

/** The real world: the client over gRPC, the stores of this machine. Each is loaded when it is first needed. */
export function processHost(terminal: Terminal): Host {
  return {
    terminal,
    get version() {
      return packageVersion();
    },
    connect: async (...given) => (await import('./client-connection.js')).connectClient(...given),
    backupTools: async () => (await import('./backup-tools.js')).backupTools(),
    offlineTools: async () => (await import('./storage-tools.js')).storageTools(),
  };
}

function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const version = typeof manifest === 'object' && manifest !== null && 'version' in manifest ? manifest.version : '';
  return String(version);
}
