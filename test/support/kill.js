// Loaded into the program before it starts (`killedAt` in chaos.test.ts): kills the process right before the call number
// IMGGEN_KILL_AT that changes something on the disk. What a crash can leave there is what stands between two such calls.
import fs, { promises } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const calls =
  'open write writev writeFile appendFile truncate sync datasync fsync fdatasync link rename unlink rm mkdir';
let left = Number(process.env.IMGGEN_KILL_AT);

const handle = await promises.open(process.execPath);
const fileHandle = Object.getPrototypeOf(handle);
await handle.close();
for (const name of calls.split(' '))
  for (const [owner, key] of [
    [fs, name],
    [fs, `${name}Sync`],
    [promises, name],
    [fileHandle, name],
  ]) {
    const original = owner[key];
    if (typeof original !== 'function') continue;
    owner[key] = function counted(...args) {
      left -= 1;
      if (left === 0) process.kill(process.pid, 'SIGKILL');
      return original.apply(this, args);
    };
  }
syncBuiltinESMExports();
