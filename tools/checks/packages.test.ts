/** What is published of each package: its exports, what they stand on, and the files that go into the archive. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const places = [...readdirSync(join(root, 'packages')).map((name) => `packages/${name}`), 'proto'];

type Exports = Readonly<Record<string, string | Readonly<Record<string, string>>>>;

interface Manifest {
  readonly name: string;
  readonly exports: Exports;
  readonly publishConfig: { readonly access: string; readonly exports: Exports };
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const manifests = places.map((place) => {
  return { place, manifest: JSON.parse(readFileSync(join(root, place, 'package.json'), 'utf8')) as Manifest };
});

/** Files that one of the package's exports names when it is published. */
function targets({ publishConfig }: Manifest): string[] {
  return Object.values(publishConfig.exports).flatMap((one) => (typeof one === 'string' ? [one] : Object.values(one)));
}

/** Packages that the sources import, but for those of tests. */
function imported(place: string): Set<string> {
  const files = readdirSync(join(root, place, 'src'), { recursive: true, encoding: 'utf8' });
  const names = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))) {
    const text = readFileSync(join(root, place, 'src', file), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:^|\s)(?:from|import) ?\(?'([^'.][^']*)'/g)) {
      const [first = '', second = ''] = specifier.split('/');
      names.add(first.startsWith('@') ? `${first}/${second}` : first);
    }
  }
  return names;
}

describe.each(manifests)('$manifest.name', ({ place, manifest }) => {
  test('exports the same published as in this repository, each with a source', () => {
    const published = Object.fromEntries(
      Object.entries(manifest.exports).map(([path, one]) => {
        if (typeof one === 'string') return [path, one];
        const { '@shanghai/source': source, ...rest } = one;
        expect(existsSync(join(root, place, source ?? 'src/none')), `${path}: ${source}`).toBe(true);
        return [path, rest];
      }),
    );
    expect(manifest.publishConfig.exports).toEqual(published);
    expect(manifest.publishConfig.access).toBe('public');
  });

  test('has a README', () => {
    expect(existsSync(join(root, place, 'README.md'))).toBe(true);
  });

  test('names all that its sources import', () => {
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies };
    const isThere = (name: string) =>
      name in declared || name === manifest.name || name.startsWith('node:') || builtinModules.includes(name);
    expect([...imported(place)].filter((name) => !isThere(name))).toEqual([]);
  });
});

const isBuilt = manifests.every(({ place, manifest }) =>
  targets(manifest).every((one) => existsSync(join(root, place, one))),
);

// Only of what is built, as `npm test` does first.
describe.skipIf(!isBuilt)('an archive of each package', () => {
  interface Archive {
    readonly name: string;
    readonly files: readonly { readonly path: string }[];
  }

  // npm takes seconds for it.
  test.skipIf(process.env.SHANGHAI_DEEP !== '1')('holds what its exports name, a README, and no tests', () => {
    const folders = places.map((place) => `./${place}`);
    const output = execFileSync('npm', ['pack', '--dry-run', '--json', ...folders], { cwd: root, stdio: 'pipe' });
    const archives = JSON.parse(output.toString()) as Archive[];
    expect(archives.map(({ name }) => name).sort()).toEqual(manifests.map(({ manifest }) => manifest.name).sort());
    for (const { name, files } of archives) {
      const paths = files.map(({ path }) => path);
      const manifest = manifests.find((one) => one.manifest.name === name)?.manifest as Manifest;
      expect(paths, name).toEqual(
        expect.arrayContaining(['README.md', ...targets(manifest).map((one) => one.replace(/^\.\//, ''))]),
      );
      expect(paths.filter((path) => /\.test\.|\.tsbuildinfo$|(?:^|\/)(?:test|testdata|bench)\//.test(path))).toEqual(
        [],
      );
    }
  });

  test('can be imported, every entry of it', () => {
    const entries = manifests.flatMap(({ place, manifest }) =>
      targets(manifest)
        .filter((one) => one.endsWith('.js'))
        .map((one) => join(root, place, one)),
    );
    const program = `for (const entry of ${JSON.stringify(entries)}) if (Object.keys(await import(entry)).length === 0) throw new Error(entry);`;
    execFileSync(process.execPath, ['--input-type=module', '--eval', program], { cwd: root, stdio: 'pipe' });
  });
});
