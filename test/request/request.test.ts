import { describe, expect, test } from 'vitest';
import { cats, gateway } from '../support/gateway.ts';
import { imggen, testKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { refused } from '../support/refused.ts';

/** The body of `imggen "a cat"`: the fields that the gateway requires. */
const starred = { model: 'gpt-image-1.5', prompt: 'a cat', n: 1, size: 'auto', stream: false, output_compression: 100 };
const dalle2 = { ...starred, model: 'dall-e-2', size: '1024x1024' };
const dalle3 = { ...starred, model: 'dall-e-3', size: '1024x1024' };
const unknown = { ...starred, model: 'tomorrow-1' };

const gptSizes = ['auto', '1024x1024', '1536x1024', '1024x1536'];
const dalle2Sizes = ['256x256', '512x512', '1024x1024'];
const dalle3Sizes = ['1024x1024', '1792x1024', '1024x1792'];
const qualities = ['standard', 'hd', 'low', 'medium', 'high', 'auto'];

type Row = [line: string, body: Record<string, unknown>];

/** `sizes` of a model, as rows. */
const sized = (model: string, sizes: string[], base: object): Row[] =>
  sizes.map((size) => [`-m ${model} -s ${size}`, { ...base, size }]);

const accepted: Row[] = [
  ['', starred],
  ['-n 10', { ...starred, n: 10 }],
  ['--count 2', { ...starred, n: 2 }],
  ...sized('gpt-image-1.5', gptSizes, starred),
  ...sized('dall-e-2', dalle2Sizes, dalle2),
  ...sized('dall-e-3', dalle3Sizes, dalle3),
  ...sized('tomorrow-1', ['auto', '256x256', '1792x1024'], unknown),
  ['-s square', { ...starred, size: '1024x1024' }],
  ['-s landscape', { ...starred, size: '1536x1024' }],
  ['-s portrait', { ...starred, size: '1024x1536' }],
  ['-m dall-e-3 -s landscape', { ...dalle3, size: '1792x1024' }],
  ['-m dall-e-3 -s portrait', { ...dalle3, size: '1024x1792' }],
  ['-m dall-e-2 -s square', dalle2],
  ['-m gpt-image-2 -s square', { ...starred, model: 'gpt-image-2', size: '1024x1024' }],
  ['--stream', { ...starred, stream: true }],
  ...['transparent', 'opaque', 'auto'].map((background): Row => [
    `--background ${background}`,
    { ...starred, background },
  ]),
  ...['low', 'auto'].map((moderation): Row => [`--moderation ${moderation}`, { ...starred, moderation }]),
  ...['png', 'jpeg', 'webp'].map((format): Row => [`--format ${format}`, { ...starred, output_format: format }]),
  ['-f jpg', { ...starred, output_format: 'jpeg' }],
  ['-o cat.webp', { ...starred, output_format: 'webp' }],
  ['--name {i}.jpg', { ...starred, output_format: 'jpeg' }],
  ['-f webp --compression 0', { ...starred, output_format: 'webp', output_compression: 0 }],
  ['-o cat.jpg --compression 55', { ...starred, output_format: 'jpeg', output_compression: 55 }],
  ['--compression 100', starred],
  // The gateway's documentation calls the quality partial_images.
  ...qualities.map((quality): Row => [`--quality ${quality}`, { ...starred, partial_images: quality }]),
  ['-m dall-e-3 --quality hd', { ...dalle3, partial_images: 'hd' }],
  ...['url', 'b64_json'].map((format): Row => [
    `-m dall-e-2 --response-format ${format}`,
    { ...dalle2, response_format: format },
  ]),
  ['-m dall-e-3 --response-format url', { ...dalle3, response_format: 'url' }],
  ...['vivid', 'natural'].map((style): Row => [`-m dall-e-3 --style ${style}`, { ...dalle3, style }]),
  ['--user u-1', { ...starred, user: 'u-1' }],
  ['-m tomorrow-1 --style vivid --response-format url', { ...unknown, style: 'vivid', response_format: 'url' }],
  [
    '--param seed=7 --param tag=blue --param deep={"a":[1,null]}',
    { ...starred, seed: 7, tag: 'blue', deep: { a: [1, null] } },
  ],
  [
    '-n 2 -s landscape -f webp --quality high --background transparent --compression 80 --stream --param seed=1',
    {
      ...starred,
      n: 2,
      size: '1536x1024',
      stream: true,
      output_compression: 80,
      background: 'transparent',
      output_format: 'webp',
      partial_images: 'high',
      seed: 1,
    },
  ],
  ['--param size=7x7', { ...starred, size: '7x7' }],
  ['--param user=a=b', { ...starred, user: 'a=b' }],
];

describe('the body of the request', () => {
  test.each(accepted)('%s', async (line, body) => {
    const { exit, stdout, stderr } = await imggen(['a cat', ...words(line), '--dry-run', '--json'], {});
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect((JSON.parse(stdout) as { request: { body: unknown } }).request.body).toEqual(body);
  });

  test('is sent as --dry-run shows it, in one POST with the key, at the documented path', async () => {
    const api = await gateway({ generation: [cats()] });
    const place = new Place();
    const { exit, stdout, files } = await imggen(['a cat'], { gateway: api, place });
    expect({ exit, stdout, files }).toEqual({ exit: 0, stdout: 'a-cat-1.png\n', files: ['a-cat-1.png'] });
    const [request] = api.requests;
    expect(request).toMatchObject({
      method: 'POST',
      path: '/api/v1/image/generation',
      headers: {
        authorization: `Bearer ${testKey}`,
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(JSON.stringify(starred))),
        'user-agent': expect.stringMatching(/^imggen\/\d/),
      },
    });
    expect(api.posts()).toEqual([starred]);
  });
});

type Refusal = [line: string, error: string, hint: string];

const refusals: Refusal[] = [
  ['-n 0', '--count 0 is not a whole number from 1 to 10', ''],
  ['-n 11', '--count 11 is not a whole number from 1 to 10', ''],
  ['-n 1.5', '--count 1.5 is not a whole number from 1 to 10', ''],
  ['-n two', '--count two is not a whole number from 1 to 10', ''],
  ['-m dall-e-3 -n 2', '--count 2 is more than dall-e-3 makes at once', 'at most 1'],
  ['-s 7x7', '--size 7x7 is not a size of gpt-image-1.5', 'auto, 1024x1024, 1536x1024, 1024x1536'],
  ['-s 256x256', '--size 256x256 is not a size of gpt-image-1.5', gptSizes.join(', ')],
  ['-m dall-e-2 -s auto', '--size auto is not a size of dall-e-2', dalle2Sizes.join(', ')],
  ['-m dall-e-2 -s landscape', '--size landscape is not a size of dall-e-2', dalle2Sizes.join(', ')],
  ['-m dall-e-3 -s 256x256', '--size 256x256 is not a size of dall-e-3', dalle3Sizes.join(', ')],
  ['-m tomorrow-1 -s 7x7', '--size 7x7 is not a size of tomorrow-1', ''],
  ['-f gif', '--format gif is not a known value', 'png, jpeg, webp'],
  ['--quality best', '--quality best is not a known value', qualities.join(', ')],
  ['--background blue', '--background blue is not a known value', 'transparent, opaque, auto'],
  ['--moderation high', '--moderation high is not a known value', 'low, auto'],
  ['-m dall-e-3 --style bold', '--style bold is not a known value', 'vivid, natural'],
  ['-m dall-e-2 --response-format png', '--response-format png is not a known value', 'url, b64_json'],
  ['--compression 101 -f webp', '--compression 101 is not a whole number from 0 to 100', ''],
  ['--compression -1', '--compression -1 is not a whole number from 0 to 100', ''],
  ['--compression 50', '--compression 50 does not go with png', '--format jpeg or webp'],
  ['--compression 50 -o cat.png', '--compression 50 does not go with png', '--format jpeg or webp'],
  ['--background transparent -f jpeg', '--background transparent does not go with jpeg', '--format png or webp'],
  ['--style vivid', '--style vivid is not taken by gpt-image-1.5', ''],
  ['-m dall-e-2 --style vivid', '--style vivid is not taken by dall-e-2', ''],
  ['--response-format url', '--response-format url is not taken by gpt-image-1.5', ''],
  ['-m dall-e-2 --stream', '--stream is not taken by dall-e-2', ''],
  ['-m dall-e-3 --background opaque', '--background opaque is not taken by dall-e-3', ''],
  ['-m dall-e-2 --moderation low', '--moderation low is not taken by dall-e-2', ''],
  ['-m dall-e-3 --format webp', '--format webp is not taken by dall-e-3', ''],
  ['-m dall-e-2 -o cat.webp', '-o cat.webp: the format webp is not taken by dall-e-2', ''],
  ['-m dall-e-3 --compression 50', '--compression 50 is not taken by dall-e-3', ''],
  ['-f png -o cat.webp', '--format png and -o cat.webp do not agree', ''],
  ['-f png --name {i}.jpg', '--format png and --name {i}.jpg do not agree', ''],
  ['-o cat.gif', '-o cat.gif: no model makes that format', '.png'],
  ['-n 2 -o -', '-o - takes one image', ''],
  ['--timeout 0', '--timeout 0 is not a number of seconds', ''],
  ['--timeout soon', '--timeout soon is not a number of seconds', ''],
  ['--retries -1', '--retries -1 is not a whole number from 0 to 20', ''],
  ['--base-url ftp://x', '--base-url ftp://x is not an http(s) URL', ''],
  ['--model=', '--model is empty', ''],
  ['--param seed', '--param seed is not name=value', ''],
  ['--param n=3', '--param n: this field has its own option', '--count'],
  ['--param stream=true', '--param stream: this field has its own option', '--stream'],
  ['--param prompt=x', '--param prompt: this field has its own option', 'prompt'],
  ['--overwrite --skip-existing', '--overwrite and --skip-existing exclude each other', ''],
];

describe('a request that cannot be right is refused before anything is sent', () => {
  test.each(refusals)('%s', async (line, error, hint) => {
    const [first, hinted = ''] = (await refused(['a cat', ...words(line)])).split('\n');
    expect(first).toContain(`error: ${error}`);
    expect(hinted).toMatch(hint ? /^hint: / : '');
    expect(hinted).toContain(hint);
  });
});

describe("the prompt's length counts code points", () => {
  const limits = [
    { model: 'gpt-image-1.5', limit: 32_000, base: starred },
    { model: 'dall-e-3', limit: 4000, base: dalle3 },
    { model: 'dall-e-2', limit: 1000, base: dalle2 },
  ];

  test.each(limits)('$limit pass for $model', async ({ model, limit, base }) => {
    const api = await gateway({ generation: [cats()] });
    const prompt = '🐈'.repeat(limit);
    const { exit } = await imggen(['-m', model], { gateway: api, stdin: prompt });
    expect(exit).toBe(0);
    expect(api.posts()).toEqual([{ ...base, prompt }]);
  });

  test.each(limits)('$limit and one do not for $model', async ({ model, limit }) => {
    expect(await refused(['-m', model], { stdin: '🐈'.repeat(limit + 1) })).toBe(
      `error: the prompt has ${limit + 1} characters\nhint: ${model} takes at most ${limit}\n`,
    );
  });
});

describe('the prompt comes from', () => {
  const sent = async (args: string[], setup: { stdin?: string | Uint8Array; place?: Place } = {}) => {
    const api = await gateway({ generation: [cats()] });
    const { exit, stderr } = await imggen(args, { gateway: api, ...setup });
    expect(exit, stderr).toBe(0);
    return api.posts()[0]?.prompt;
  };

  test.each([
    ['the argument, as it is', [' 一只猫, "quoted" \\ and\n new line '], '', ' 一只猫, "quoted" \\ and\n new line '],
    ['an argument that looks like a flag, after --', ['--', '--a cat'], '', '--a cat'],
    ['stdin, for -', ['-'], 'a cat\non a mat\n', 'a cat\non a mat'],
    ['stdin, for no argument', [], '\ufeffa cat\n', 'a cat'],
    ['the word of a command, after generate', ['generate', 'models'], '', 'models'],
  ])('%s', async (_name, args, stdin, prompt) => {
    expect(await sent(args, { stdin })).toBe(prompt);
  });
  test('a file', async () => {
    const place = new Place();
    place.write('prompt.txt', 'a cat in a file\n');
    expect(await sent(['--prompt-file', 'prompt.txt'], { place })).toBe('a cat in a file');
  });
  test.each([
    ['nothing', [], '', 'the prompt is empty'],
    ['blanks', ['  '], '', 'the prompt is empty'],
    ['stdin that is not UTF-8', ['-'], Uint8Array.of(0xff, 0xfe, 0x00), 'stdin is not UTF-8 text'],
    ['a file that is missing', ['--prompt-file', 'no.txt'], '', 'cannot read --prompt-file no.txt'],
    ['a prompt and a file', ['a cat', '--prompt-file', 'p'], '', 'a prompt and --prompt-file are given'],
  ])('but not from %s', async (_name, args, stdin, error) => {
    expect(await refused(args, { stdin })).toContain(`error: ${error}\n`);
  });
});

/** The words of a line; none of them has a blank in it. */
function words(line: string): string[] {
  return line.split(' ').filter(Boolean);
}
