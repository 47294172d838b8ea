/** The directory a path lies in: `'a/b'` → `'a'`, `'/a'` → `'/'`, `'a'` → `'.'`. Trailing slashes do not count. */
export function parentDirectory(path: string): string {
  let end = path.length;
  while (end > 1 && path[end - 1] === '/') end--;
  const slash = path.lastIndexOf('/', end - 1);
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}
