/** Work on backups and archives of this machine's disks: the one joint with the server's own code. */
import { nodeClock, nodeDisk, nodeRandom } from '@shanghai/env';
import * as server from '@shanghai/server/backup';

/** What checking an archive found. */
export type ArchiveReport = server.ArchiveReport;

/** What the commands need of it; the same functions with this machine's disk. */
export interface BackupTools {
  save(parts: AsyncIterable<server.BackupPart>, options: Without<server.SaveOptions>): Promise<server.BackupManifest>;
  verify(directory: string, options: VerifyOptions): Promise<server.BackupReport>;
  /** `undefined` where the directory is no archive. */
  verifyArchive(directory: string, signal: AbortSignal): Promise<server.ArchiveReport | undefined>;
  list(parent: string): Promise<readonly server.FoundBackup[]>;
  /** Removes all but the newest backups of a cluster; resolves to the names of those that went. */
  prune(parent: string, kept: { clusterId: string; newest: string; kept: number }): Promise<readonly string[]>;
  restore(options: RestoreGiven): Promise<server.RestoreReport>;
  manifest(directory: string): Promise<server.BackupManifest>;
  openArchive(directory: string, clusterId: string): Promise<server.ArchiveWriter>;
  /** One pass. */
  archive(pass: server.ArchivePass): Promise<readonly server.ArchivedGroup[]>;
}

/** What restoring takes; members as `1=host:port,2=host:port`, or none. */
export interface RestoreGiven extends Omit<Without<server.RestoreOptions>, 'clock' | 'random' | 'members'> {
  readonly members: string;
}

interface VerifyOptions {
  readonly signal: AbortSignal;
  readonly onProgress: (done: number, total: number) => void;
}

type Without<Options> = Omit<Options, 'disk'>;

/** The tools on this machine. */
export function backupTools(): BackupTools {
  const disk = nodeDisk();
  return {
    save: (parts, options) => server.saveBackup(parts, { ...options, disk }),
    verify: (directory, options) => server.verifyBackup(directory, { ...options, disk }),
    verifyArchive: (directory, signal) => server.verifyArchive(disk, directory, signal),
    list: (parent) => server.listBackups(disk, parent),
    prune: (parent, kept) => server.pruneBackups(disk, parent, kept),
    restore: ({ members, ...options }) =>
      server.restoreBackup({
        ...options,
        members: members === '' ? [] : server.parseFirstMembers(members),
        disk,
        clock: nodeClock(),
        random: nodeRandom(),
      }),
    manifest: (directory) => server.readManifest(disk, directory),
    openArchive: (directory, clusterId) => server.ArchiveWriter.open(disk, directory, clusterId),
    archive: (pass) => server.archiveLog(pass),
  };
}
