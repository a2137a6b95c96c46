// Loaded into imggen before it starts: makes the disk slow where the program meets it, in the writing of its files. All
// files share IMGGEN_BENCH_DISK bytes a second, as on a real disk.
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const bytesPerMs = Number(process.env.IMGGEN_BENCH_DISK) / 1000;
const handle = await open(process.execPath);
const fileHandle = Object.getPrototypeOf(handle);
await handle.close();

let freeAt = 0;
const { write } = fileHandle;
fileHandle.write = async function slowly(...args) {
  const result = await write.apply(this, args);
  freeAt = Math.max(freeAt, performance.now()) + result.bytesWritten / bytesPerMs;
  await sleep(freeAt - performance.now());
  return result;
};
