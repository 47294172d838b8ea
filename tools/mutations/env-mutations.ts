import type { Mutation } from './mutation.js';

/** Bugs in what every store stands on. */
export const envMutations: readonly Mutation[] = [
  {
    name: 'env/replace-without-directory-sync',
    breaks: 'an atomic replacement is durable when it resolves',
    file: 'packages/env/src/replace-file.ts',
    find: '  await disk.syncDirectory(parentDirectory(path));\n',
    replace: '  parentDirectory(path);\n',
    tests: ['packages/env/src/replace-file.test.ts'],
  },
  {
    name: 'env/replace-without-sync',
    breaks: 'a crash leaves the old file or the new one, whole',
    file: 'packages/env/src/replace-file.ts',
    find: '    await file.sync();\n',
    replace: '',
    tests: ['packages/env/src/replace-file.test.ts'],
  },
  {
    name: 'env/ensure-directory-without-sync',
    breaks: 'a made directory is there after a power failure',
    file: 'packages/env/src/ensure-directory.ts',
    find: '  for (const parent of parents) await disk.syncDirectory(parent);\n',
    replace: '',
    tests: ['packages/env/src/ensure-directory.test.ts'],
  },
  {
    name: 'env/full-disk-leaves-partial-bytes',
    breaks: 'an append that met a full disk leaves nothing in the file',
    file: 'packages/env/src/append-file.ts',
    find: '      await this.file.truncate(this.#end);\n',
    replace: '',
    tests: ['packages/env/src/append-file.test.ts'],
  },
  {
    name: 'env/full-disk-cut-not-synced',
    breaks: 'no crash brings back bytes of an append that was refused',
    file: 'packages/env/src/append-file.ts',
    find: '      await this.file.truncate(this.#end);\n      await this.file.sync();\n',
    replace: '      await this.file.truncate(this.#end);\n',
    tests: ['packages/env/src/append-file.test.ts'],
  },
  {
    name: 'env/failed-sync-tried-again',
    breaks: 'a failed sync is never tried again: the second one succeeds without the bytes',
    file: 'packages/env/src/append-file.ts',
    find: '      await this.file.sync();\n    } catch (error) {\n      throw this.#poison(error);\n    } finally {',
    replace:
      '      await this.file.sync().catch(() => this.file.sync());\n    } catch (error) {\n      throw this.#poison(error);\n    } finally {',
    tests: ['packages/env/src/append-file.test.ts'],
  },
  {
    name: 'env/sync-covers-later-appends',
    breaks: 'a sync covers what was appended before it began, nothing later',
    file: 'packages/env/src/append-file.ts',
    find: '    this.#durableEnd = covered;\n  }\n\n  syncSync',
    replace: '    this.#durableEnd = covered < this.#end ? this.#end : covered;\n  }\n\n  syncSync',
    tests: ['packages/env/src/append-file.test.ts'],
  },
  {
    name: 'env/lock-not-taken',
    breaks: 'one process holds a directory',
    file: 'packages/env/src/node/directory-lock.ts',
    find: 'if (rivals.length === 0 && claim !== undefined) return claim;',
    replace: 'if (claim !== undefined) return claim;',
    tests: ['packages/env/src/node/directory-lock.test.ts'],
  },
];
