/**
 * Backups and archives without a server, for the command line: what `shanghaictl snapshot` does on directories. It lives
 * here because a state is brought to another point, and made another cluster's, by the state machine itself.
 */
export { parseFirstMembers } from '../first-members.js';
export { type ArchivedGroup, type ArchivePass, archiveLog, type LogSource } from './archive-log.js';
export { ArchiveWriter } from './archive-writer.js';
export { BackupError, type BackupErrorCode } from './backup-error.js';
export { type BackupManifest, readManifest } from './backup-manifest.js';
export type { BackupPart, GroupLogPage } from './backup-parts.js';
export { type FoundBackup, listBackups, pruneBackups } from './list-backups.js';
export { type RestoreOptions, type RestoreReport, restoreBackup } from './restore-backup.js';
export { type SaveOptions, saveBackup } from './save-backup.js';
export { type ArchiveReport, type ArchiveRun, verifyArchive } from './verify-archive.js';
export { type BackupFinding, type BackupReport, verifyBackup } from './verify-backup.js';
