import { describe, expect, test } from 'vitest';
import { gateway } from '../support/gateway.ts';
import { imggen, shownKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';

describe('--dry-run', () => {
  test('shows what would be sent and written, and does neither', async () => {
    const place = new Place();
    const api = await gateway();
    const { exit, stdout, stderr, files } = await imggen(['a cat', '-n', '2', '-o', 'out/deep', '--dry-run'], {
      gateway: api,
      place,
    });
    expect({ exit, stderr, files }).toEqual({ exit: 0, stderr: '', files: [] });
    expect(stdout).toBe(
      `POST ${api.baseUrl}/image/generation
authorization: Bearer ${shownKey}
content-type: application/json
{
  "model": "gpt-image-1.5",
  "prompt": "a cat",
  "n": 2,
  "size": "auto",
  "stream": false,
  "output_compression": 100
}
would write out/deep/a-cat-1.png
would write out/deep/a-cat-2.png
`,
    );
    expect(api.requests).toEqual([]);
    expect(place.everything()).toEqual([]);
  });

  test('--json: one document', async () => {
    const { exit, stdout } = await imggen(['a cat', '--dry-run', '--json']);
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      dry_run: true,
      request: {
        method: 'POST',
        url: 'https://api.aa.com.cn/api/v1/image/generation',
        headers: { authorization: expect.stringMatching(/^Bearer /), 'content-type': 'application/json' },
        body: { model: 'gpt-image-1.5', prompt: 'a cat', n: 1, size: 'auto', stream: false, output_compression: 100 },
      },
      files: ['a-cat-1.png'],
    });
  });

  test.each([
    { args: ['-o', 'cat.jpg', '-n', '2'], existing: [], files: ['cat-1.jpg', 'cat-2.jpg'] },
    { args: ['-n', '2'], existing: ['a-cat-1.png'], files: ['a-cat-2.png', 'a-cat-3.png'] },
    { args: ['-n', '2', '--overwrite'], existing: ['a-cat-1.png'], files: ['a-cat-1.png', 'a-cat-2.png'] },
    { args: ['-n', '2', '--skip-existing'], existing: ['a-cat-1.png'], files: ['a-cat-2.png'] },
  ])('plans the files of $args beside $existing', async ({ args, existing, files }) => {
    const place = new Place();
    for (const name of existing) place.write(name, 'precious');
    const { exit, stdout, files: present } = await imggen(['a cat', '--dry-run', '--json', ...args], { place });
    expect(exit).toBe(0);
    expect((JSON.parse(stdout) as { files: string[] }).files).toEqual(files);
    expect(present).toEqual(existing);
  });

  test('plans stdout for -o -', async () => {
    const { exit, stdout } = await imggen(['a cat', '--dry-run', '-o', '-']);
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^POST [^]*\nwould write -\n$/);
  });

  test('shows no request when everything is there already', async () => {
    const place = new Place();
    place.write('cat.png', 'precious');
    const args = ['a cat', '--dry-run', '--skip-existing', '-o', 'cat.png'];
    const { exit, stdout, stderr } = await imggen(args, { place });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
    expect(stderr).toContain('everything is there already');
    expect(JSON.parse((await imggen([...args, '--json'], { place })).stdout)).toEqual({
      dry_run: true,
      request: null,
      files: [],
    });
  });

  test('a prompt with control characters does not reach the terminal with them', async () => {
    const { stdout } = await imggen(['generate', 'red \u001b[31m \u202e \u0007', '--dry-run']);
    expect(stdout).not.toMatch(/[\u001b\u0007\u202e]/);
    expect(stdout).toContain('red \\u001b[31m');
  });
});
