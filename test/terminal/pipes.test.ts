import { describe, expect, test } from 'vitest';
import { cats, documented, gateway } from '../support/gateway.ts';
import { image, largePng } from '../support/images.ts';
import { imggen } from '../support/imggen.ts';
import { Place, sha256 } from '../support/place.ts';
import { sh } from '../support/sh.ts';

describe('a reader of stdout that goes away is no error', () => {
  test.each([
    ['--help'],
    ['--version'],
    ['help', 'exit-codes'],
    ['models'],
    ['models', '--json'],
    ['config', 'list'],
    ['a cat', '--dry-run'],
    ['a cat', '--json'],
    ['a cat'],
  ])('of imggen %s %s', async (...args) => {
    const api = await gateway({ generation: cats() });
    const { exit, stderr } = await imggen(args.filter(Boolean), { gateway: api, stdout: 'closed' });
    expect(exit).toBe(0);
    expect(stderr).not.toMatch(/EPIPE|Error/);
  });

  test('of one image, which is then not saved: exit 7, and stderr says where it is', async () => {
    const api = await gateway({
      generation: [{ body: ['{"data":[{"b64_json":"', largePng(2_000_000).toString('base64'), '"}]}'] }],
    });
    const place = new Place();
    const { exit, stdout, stderr } = await sh('imggen "a cat" -o - | head -c 8; exit ${PIPESTATUS[0]}', place, {
      gateway: api,
    });
    expect(exit, stderr).toBe(7);
    expect(stdout).toEqual(image('cat.png').subarray(0, 8));
    expect(stderr).toContain('error: the image is not saved\ncause: image 1: the reader of stdout has gone');
    expect(stderr).toContain('hint: it is paid for; to save it without a new generation: imggen resume');
    expect(stderr).not.toMatch(/EPIPE/);
    expect(place.files()).toEqual([]);
  });

  test('of stderr, whose reader goes away', async () => {
    const api = await gateway({ generation: [cats()] });
    const { exit, stdout, files } = await imggen(['a cat', '--verbose'], { gateway: api, stderr: 'closed' });
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', files: ['a-cat-1.png'] });
  });
});

test('a full pipe that another process made non-blocking gets every byte in the end', async () => {
  const filler = 65_536;
  const fill = `"${process.execPath}" -e 'process.stdout; setTimeout(() => {}, 2000)' & sleep 0.5; head -c ${filler} /dev/zero`;
  const { stdout, stderr } = await sh(
    `{ ${fill}; imggen help; echo "exit $?" >&2; wait; } | { sleep 1.5; cat; }`,
    new Place(),
  );
  expect(stderr).toBe('exit 0\n');
  expect(stdout.subarray(filler).toString()).toBe((await imggen(['help'])).stdout);
});

describe('in scripts', () => {
  test('for f in $(imggen …) sees the paths', async () => {
    const api = await gateway({ generation: [cats(3)] });
    const place = new Place();
    const { exit, stdout } = await sh(
      'for f in $(imggen "a cat" -n 3 -o out 2>/dev/null); do echo "<$f>"; done',
      place,
      { gateway: api },
    );
    expect(exit).toBe(0);
    expect(stdout.toString()).toBe('<out/a-cat-1.png>\n<out/a-cat-2.png>\n<out/a-cat-3.png>\n');
  });

  test('| xargs sees the paths of a prompt that came by pipe', async () => {
    const api = await gateway({ generation: [cats(2)] });
    const place = new Place();
    const { stdout } = await sh('echo "a cat" | imggen -n 2 -q | xargs wc -c', place, { gateway: api });
    expect(stdout.toString()).toMatch(/^ *239 a-cat-1\.png\n *239 a-cat-2\.png\n *478 total\n$/);
  });

  test('-o - can be redirected', async () => {
    const api = await gateway({ generation: [documented('{{origin}}/images/provenance.jpg')] });
    const place = new Place();
    const { exit } = await sh('imggen "a cat" -o - > cat.jpg', place, { gateway: api });
    expect(exit).toBe(0);
    expect(place.sha256('cat.jpg')).toBe(sha256(image('provenance.jpg')));
  });

  test('--json feeds a JSON parser, also when it fails', async () => {
    const api = await gateway({ generation: [{ status: 402, body: '{}' }] });
    const { exit, stdout } = await sh(
      `imggen "a cat" --json 2>/dev/null | "${process.execPath}" -p 'JSON.parse(require("fs").readFileSync(0)).error.exit'`,
      new Place(),
      { gateway: api },
    );
    expect({ exit, stdout: stdout.toString() }).toEqual({ exit: 0, stdout: '5\n' });
  });
});
