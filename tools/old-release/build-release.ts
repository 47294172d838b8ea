/**
 * Programs of earlier releases, built from the repository's own history: what an upgrade begins with must be the program
 * that people have, not one that pretends. The tree of the commit is unpacked, and stands on the dependencies that are
 * installed here.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Releases that clusters are upgraded from: cluster version → commit. */
export const releases = {
  /** The first one that knew clusters. */
  1: '10801b64b3d5e3e7068f6839cdb203bc1636e868',
} as const;

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Whether the history is there; a shallow clone, or an archive, lacks it. */
export function hasRelease(commit: string): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Unpacks and builds a release in an empty directory. Its program is then `apps/server/dist/main.js` there. */
export function buildRelease(commit: string, directory: string): void {
  mkdirSync(directory, { recursive: true });
  const tree = execFileSync('git', ['archive', commit], { cwd: root, maxBuffer: 256 * 1024 * 1024 });
  execFileSync('tar', ['-x', '-C', directory], { input: tree });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  for (const place of ['apps', 'packages']) {
    for (const name of readdirSync(join(directory, place))) linkDependencies(directory, `${place}/${name}`);
  }
  linkDependencies(directory, 'proto');
  execFileSync(join(root, 'node_modules/.bin/tsc'), ['-b', 'apps/server'], { cwd: directory, stdio: 'inherit' });
}

/**
 * What a package needs: its own kind from the release, what is from outside as it is installed here: for the same package,
 * or, where that needs it no more, for these tools.
 */
function linkDependencies(directory: string, place: string): void {
  const target = join(directory, place, 'node_modules');
  if (existsSync(target)) return;
  const manifest = JSON.parse(readFileSync(join(directory, place, 'package.json'), 'utf8')) as Manifest;
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.devDependencies })) {
    const outside = [place, 'tools']
      .map((one) => join(root, one, 'node_modules', name))
      .find((path) => existsSync(path));
    const source = name.startsWith('@shanghai/') ? ownPlace(directory, name) : outside;
    if (source === undefined) continue;
    const link = join(target, name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(source, link);
  }
}

function ownPlace(directory: string, dependency: string): string | undefined {
  const name = dependency.slice('@shanghai/'.length);
  return [`packages/${name}`, `apps/${name}`, name]
    .map((place) => join(directory, place))
    .find((path) => existsSync(path));
}
