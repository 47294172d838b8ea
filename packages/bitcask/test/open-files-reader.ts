/** Reads every key of a store and prints what came of it: `node … <directory> <maxOpenFiles> <keys>`. */
import { BitcaskError } from '../src/bitcask-error.js';
import { openBitcask } from '../src/open-bitcask.js';

const [directory = '', maxOpenFiles, keys] = process.argv.slice(2);
const errors: Record<string, number> = {};
const store = await openBitcask({ directory, maxOpenFiles: Number(maxOpenFiles), readOnly: true }).catch((error) => {
  process.stdout.write(JSON.stringify({ read: 0, wrong: 0, errors: { [error.code]: Number(keys) } }));
  process.exit();
});
let read = 0;
let wrong = 0;
for (let i = 0; i < Number(keys); i++) {
  try {
    const value = await store.get(new TextEncoder().encode(`k${i}`));
    if (value?.length === 3_900 && value.every((byte) => byte === i)) read++;
    else wrong++;
  } catch (error) {
    if (!(error instanceof BitcaskError)) throw error;
    errors[error.code] = (errors[error.code] ?? 0) + 1;
  }
}
await store.close();
process.stdout.write(JSON.stringify({ read, wrong, errors }));
