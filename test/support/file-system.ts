import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Place } from './place.ts';

/**
 * The environment of a program whose file system gives no file a name that `refused` matches (EIO), and, without
 * `links`, has no hard links (EPERM), like FAT. A module that is loaded before the program does that.
 */
export function fileSystem(place: Place, { links, refused }: { links: boolean; refused?: RegExp }) {
  const file = join(place.home, 'file-system.mjs');
  writeFileSync(
    file,
    `import fs from 'node:fs';
    import { syncBuiltinESMExports } from 'node:module';
    const refuse = (code) => { throw Object.assign(new Error(code + ': refused by the test'), { code }); };
    for (const name of ['link', 'rename']) {
      const move = fs.promises[name];
      fs.promises[name] = async (from, to) => {
        if (name === 'link' && !${links}) refuse('EPERM');
        if (${refused ?? /(?!)/}.test(to)) refuse('EIO');
        await move(from, to);
      };
    }
    syncBuiltinESMExports();`,
  );
  return { NODE_OPTIONS: `--import=${pathToFileURL(file).href}` };
}
