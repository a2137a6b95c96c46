// Loaded into imggen before it starts: makes the disk slow where the program meets it, in the writing of its files. All
// files share IMGGEN_BENCH_DISK bytes a second, as on a real disk.
import fs from 'node:fs';

const bytesPerMs = Number(process.env.IMGGEN_BENCH_DISK) / 1000;
const clock = new Int32Array(new SharedArrayBuffer(4));

let freeAt = 0;
for (const name of ['writeSync', 'writevSync']) {
  const write = fs[name];
  fs[name] = function slowly(file, data, ...rest) {
    const bytes = name === 'writevSync' ? data.reduce((sum, each) => sum + each.byteLength, 0) : data.length;
    freeAt = Math.max(freeAt, performance.now()) + bytes / bytesPerMs;
    Atomics.wait(clock, 0, 0, freeAt - performance.now());
    return write(file, data, ...rest);
  };
}
