/** `tsx tools/old-release/main.ts <cluster version> <directory>`: builds the release of a version there. */
import { buildRelease, releases } from './build-release.js';

const [version, directory] = process.argv.slice(2);
const commit = Object.entries(releases).find(([known]) => known === version)?.[1];
if (commit === undefined || directory === undefined) {
  console.error(`usage: tsx tools/old-release/main.ts <${Object.keys(releases).join('|')}> <directory>`);
  process.exit(2);
}
buildRelease(commit, directory);
console.log(`${directory}/apps/server/dist/main.js`);
