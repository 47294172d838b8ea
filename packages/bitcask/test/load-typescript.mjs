import { register } from 'tsx/esm/api';

/** To be given to `--import`: lets a process and each of its threads load TypeScript. (`--import tsx` does it for the process only.) */
register();
