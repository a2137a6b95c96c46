// Loaded into imggen before it starts: makes the disk slow where the program meets it, in the writing of its files. All
// files share IMGGEN_BENCH_DISK bytes a second, as on a real disk.
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const bytesPerMs = Number(process.env.IMGGEN_BENCH_DISK) / 1000;
const file = await open(fileURLToPath(import.meta.url));
const handle = Object.getPrototypeOf(file);
await file.close();

let freeAt = 0;
for (const name of ['write', 'writev']) {
  const write = handle[name];
  handle[name] = async function slowly(data, ...rest) {
    const bytes = name === 'writev' ? data.reduce((sum, each) => sum + each.byteLength, 0) : data.length;
    freeAt = Math.max(freeAt, performance.now()) + bytes / bytesPerMs;
    await sleep(freeAt - performance.now());
    return await write.call(this, data, ...rest);
  };
}
