import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { gateway } from '../support/gateway.ts';
import { imggen, start, testKey } from '../support/imggen.ts';
import { programWithoutSharp } from '../support/no-sharp.ts';
import { Place } from '../support/place.ts';

const fontDirectories = ['/usr/share/fonts', '/usr/local/share/fonts', '/System/Library/Fonts', 'C:/Windows/Fonts'];
const hasFonts = fontDirectories.some(
  (path) =>
    existsSync(path) && readdirSync(path, { recursive: true }).some((name) => /\.(ttf|otf|ttc)$/.test(`${name}`)),
);

/** The brightest value of the darkest channel at the foot of a picture of 256 × 256. */
async function whitest(picture: Buffer): Promise<number> {
  const foot = sharp(picture).extract({ left: 0, top: 220, width: 256, height: 24 });
  const data = await foot.removeAlpha().raw().toBuffer();
  let most = 0;
  for (let at = 0; at < data.length; at += 3) most = Math.max(most, Math.min(...data.subarray(at, at + 3)));
  return most;
}

const placeholders = 'placeholder';
/** The line with the base URL, whole. */
const address = /^http:\/\/127\.0\.0\.1:\d+\/api\/v1\n/m;

describe('--sandbox', () => {
  test('needs no key and no network, saves real images, and says what they are', async () => {
    const place = new Place();
    const { exit, stdout, stderr, files } = await imggen(['a cat', '-n', '2', '-o', './out', '--sandbox'], { place });
    expect(exit).toBe(0);
    expect(stdout).toBe('out/a-cat-1.png\nout/a-cat-2.png\n');
    expect(files).toEqual(['out/a-cat-1.png', 'out/a-cat-2.png']);
    expect(stderr).toContain(placeholders);
    expect(place.sha256('out/a-cat-1.png')).not.toBe(place.sha256('out/a-cat-2.png'));
    for (const file of files)
      expect(await sharp(place.read(file)).metadata()).toMatchObject({ format: 'png', width: 1024, height: 1024 });
  });

  test('needs no proxy, sends nothing to the gateway and shows it no key', async () => {
    const api = await gateway();
    const proxy = 'http://127.0.0.1:1';
    const env = { HTTP_PROXY: proxy, http_proxy: proxy, HTTPS_PROXY: proxy, https_proxy: proxy };
    const args = ['a cat', '-m', 'dall-e-2', '-s', '256x256', '--sandbox'];
    expect((await imggen(args, { gateway: api, env })).exit).toBe(0);
    expect(api.requests).toEqual([]);
  });

  test('draws the same picture for the same prompt, with letters where the machine has fonts', async () => {
    const place = new Place();
    place.write('no-fonts.conf', '<fontconfig></fontconfig>');
    const none = { FONTCONFIG_FILE: join(place.cwd, 'no-fonts.conf') };
    const draw = async (prompt: string, env = {}) => {
      const args = [prompt, '--sandbox', '-o', '-', '-m', 'dall-e-2', '-s', '256x256', '--quiet'];
      const { exit, bytes, stderr } = await imggen(args, { place, env });
      expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
      return bytes;
    };
    const [first, bare] = [await draw('a cat'), await draw('a cat', none)];
    expect((await draw('a cat')).equals(first)).toBe(true);
    expect((await draw('a dog')).equals(first)).toBe(false);
    expect((await draw('a cat', none)).equals(bare)).toBe(true);
    // The word "sandbox" stands in white on the nearest dune, which is dark.
    expect(await whitest(bare)).toBeLessThan(128);
    if (hasFonts) expect(await whitest(first)).toBeGreaterThan(240);
    else expect(first.equals(bare)).toBe(true);
  });

  test('refuses what the gateway does not know', async () => {
    const { exit, stderr } = await imggen(['a cat', '--sandbox', '--param', 'seed=1']);
    expect(exit).toBe(4);
    expect(stderr).toContain('seed');
  });

  test('cannot be switched on in the config file, where it would be forgotten', async () => {
    const place = new Place();
    place.writeConfig({ sandbox: true });
    const { exit, stdout } = await imggen(['a cat'], { place });
    expect({ exit: exit === 0, stdout }).toEqual({ exit: false, stdout: '' });
  });
});

test.each([[['a cat', '--sandbox']], [['sandbox']]])('without sharp %j says how to install it', async (args) => {
  const place = new Place();
  const result = await imggen(args, { place, program: programWithoutSharp(place) });
  expect(result).toMatchObject({
    exit: 2,
    stdout: '',
    files: [],
    stderr: expect.stringMatching(
      /^error: the sandbox draws its images with sharp, which is not installed\ncause: .*\nhint: npm install sharp/,
    ),
  });
});

describe('imggen sandbox', () => {
  test('serves until it is told to end, with its base URL on stdout and the rest on stderr', async () => {
    const server = start(['sandbox']);
    const baseUrl = (await server.saw(address)).trimEnd();
    const place = new Place();
    const run = await imggen(['a cat', '-n', '2', '-m', 'dall-e-2', '-s', '256x256', '--json'], {
      place,
      env: { IMGGEN_BASE_URL: baseUrl, IMGGEN_API_KEY: testKey },
    });
    expect(run.exit, run.stderr).toBe(0);
    expect(run.files).toEqual(['a-cat-1.png', 'a-cat-2.png']);
    expect(JSON.parse(run.stdout)).toMatchObject({ usage: { images: 2 }, images: [{ width: 256 }, { width: 256 }] });
    expect(Date.parse((JSON.parse(run.stdout) as { expires: string }).expires)).toBeGreaterThan(Date.now());
    const keyless = await imggen(['a cat'], { env: { IMGGEN_BASE_URL: baseUrl } });
    expect(keyless.exit).toBe(3);
    server.kill('SIGINT');
    const { exit, stdout, stderr } = await server.end;
    expect(exit).toBe(0);
    expect(stdout).toBe(`${baseUrl}\n`);
    expect(stderr).toContain(placeholders);
  });

  test('listens where --port says, and says when it cannot', async () => {
    const api = await gateway();
    const { port } = new URL(api.origin);
    const { exit, stdout, stderr } = await imggen(['sandbox', '--port', port]);
    expect({ exit, stdout }).toEqual({ exit: 2, stdout: '' });
    expect(stderr).toContain(`error: the sandbox cannot listen on port ${port}`);
  });

  test.each([
    [['--port', '70000'], 'error: --port 70000 '],
    [['--port', 'x'], 'error: --port x '],
    [['--latency', '-1'], 'error: --latency -1 '],
    [['--expires', '0.5'], 'error: --expires 0.5 '],
    [['--answer', 'png'], 'error: --answer png '],
    [['--fault', 'x:2'], 'error: --fault x:2: unknown fault "x"\nhint: one of: 401, '],
    [['--fault', ''], 'error: --fault "": unknown fault ""\nhint: one of: '],
    [
      ['--fault', '429:2'],
      'error: --fault 429:2: expected a rate from 0 to 1, or once\nhint: for example --fault 429:0.5',
    ],
    [['8080'], 'error: '],
  ])('refuses %j before it listens', async (args, message) => {
    const { exit, stdout, stderr } = await imggen(['sandbox', ...args]);
    expect({ exit, stdout, stderr }).toEqual({ exit: 2, stdout: '', stderr: expect.stringContaining(message) });
  });

  test('waits --latency before each answer', async () => {
    const server = start(['sandbox', '--latency', '60000']);
    const baseUrl = (await server.saw(address)).trimEnd();
    const { exit } = await imggen(['a cat', '--timeout', '0.5'], {
      env: { IMGGEN_BASE_URL: baseUrl, IMGGEN_API_KEY: testKey },
    });
    expect(exit).toBe(6);
    server.kill('SIGTERM');
    expect((await server.end).exit).toBe(0);
  });
});
