import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { cats, gateway } from '../support/gateway.ts';
import { imggen, type Setup, shownKey, testKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';
import { refused } from '../support/refused.ts';

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

/** Runs `imggen config …`. */
const config = (line: string, setup: Setup = {}) => imggen(['config', ...line.split(' ').filter(Boolean)], setup);

/** Runs a generation. Returns the authorization that was sent, if any. */
async function keySent(place: Place, env: Setup['env'] = {}, args: string[] = []) {
  const api = await gateway({ generation: [cats()] });
  const { exit, stderr } = await imggen(['a cat', '--base-url', api.baseUrl, ...args], { place, env });
  return { exit, stderr, key: api.requests[0]?.headers.authorization };
}

describe('imggen login', () => {
  test('stores the key of stdin where only its owner can read it, and shows its short form', async () => {
    const place = new Place();
    const { exit, stdout, stderr } = await imggen(['login'], { place, stdin: `${testKey}\n` });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: '' });
    expect(stderr).toBe(`the key ${shownKey} is stored in ${place.configFile}\n`);
    expect(place.readConfig()).toEqual({ apiKey: testKey });
    expect(modeOf(place.configFile)).toBe('600');
    expect(modeOf(place.config)).toBe('700');
    expect(await keySent(place)).toMatchObject({ exit: 0, key: `Bearer ${testKey}` });
  });

  test.each([`  ${testKey}  `, `${testKey}\r\nsecond line`, testKey])(
    'reads the first line, without blanks: %j',
    async (stdin) => {
      const place = new Place();
      expect((await imggen(['login'], { place, stdin })).exit).toBe(0);
      expect(place.readConfig()).toEqual({ apiKey: testKey });
    },
  );

  test('makes a file that others can read private, and keeps what is in it', async () => {
    const place = new Place();
    place.writeConfig({ model: 'dall-e-3' }, 0o644);
    expect((await imggen(['login'], { place, stdin: testKey })).exit).toBe(0);
    expect(place.readConfig()).toEqual({ model: 'dall-e-3', apiKey: testKey });
    expect(modeOf(place.configFile)).toBe('600');
  });

  test.each([
    ['no key', '\n', 3],
    ['nothing at all', '', 3],
    ['a key with a blank in it', `${testKey} ${testKey}`, 2],
    ['a key with other letters', `${testKey}ключ`, 2],
  ])('refuses %s, and stores nothing', async (_what, stdin, exit) => {
    await refused(['login'], { stdin }, exit);
  });

  test('says when the environment has a key that comes first', async () => {
    const { stderr } = await imggen(['login'], { stdin: testKey, env: { IMGGEN_API_KEY: 'sk-other' } });
    expect(stderr).toContain('warning: IMGGEN_API_KEY is set');
  });

  test.each([
    ['login', testKey],
    ['login', '--api-key', testKey],
    ['config', 'set', 'apiKey', testKey],
    ['config', 'set', 'apikey', testKey],
    ['config', 'set', '--profile', 'work', 'apiKey', testKey],
    ['a cat', '--api-key', testKey],
    ['a cat', `--api-key=${testKey}`],
    ['a cat', `--api-key=${testKey}`, '--json'],
  ])('is the only way in: imggen %s %s %s', async (...args) => {
    const place = new Place();
    const api = await gateway();
    const { exit } = await imggen(args.filter(Boolean), { place, gateway: api, stdin: '' });
    expect(exit).toBe(2);
    expect(place.everything()).toEqual([]);
    expect(api.requests).toEqual([]);
  });
});

describe('imggen logout', () => {
  test('removes the key and nothing else', async () => {
    const place = new Place();
    place.writeConfig({ apiKey: testKey, model: 'dall-e-3', profiles: { work: { apiKey: testKey } } });
    const { exit, stdout, stderr } = await imggen(['logout'], { place });
    expect({ exit, stdout, stderr }).toEqual({
      exit: 0,
      stdout: '',
      stderr: `the key is removed from ${place.configFile}\n`,
    });
    expect(place.readConfig()).toEqual({ model: 'dall-e-3', profiles: { work: { apiKey: testKey } } });
    expect((await imggen(['logout', '--profile', 'work'], { place })).exit).toBe(0);
    expect(JSON.stringify(place.readConfig())).not.toContain(testKey);
  });

  test('says when there is none', async () => {
    const { exit, stderr } = await imggen(['logout']);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: 'no key is stored\n' });
  });
});

describe('imggen config', () => {
  test.each([
    ['count', '3', 3],
    ['size', 'landscape', 'landscape'],
    ['format', 'jpg', 'jpeg'],
    ['model', 'dall-e-3', 'dall-e-3'],
    ['quality', 'high', 'high'],
    ['compression', '80', 80],
    ['resize', '0800X600', '800x600'],
    ['resize', '×600', 'x600'],
    ['convert', 'jpg', 'jpeg'],
    ['keepOriginal', 'no', false],
    ['out', './pictures', './pictures'],
    ['sidecar', 'yes', true],
    ['timeout', '2.5', 2.5],
    ['retries', '0', 0],
    ['baseUrl', 'http://127.0.0.1:1/api/v1/', 'http://127.0.0.1:1/api/v1'],
    ['apiKeyCommand', 'cat', 'cat'],
    ['taskUrl', 'http://127.0.0.1/t/{task_id}', 'http://127.0.0.1/t/{task_id}'],
  ])('set and get %s %s', async (key, text, stored) => {
    const place = new Place();
    expect(await config(`set ${key} ${text}`, { place })).toMatchObject({ exit: 0, stdout: '', stderr: '' });
    expect(place.readConfig()).toEqual({ [key]: stored });
    expect(modeOf(place.configFile)).toBe('600');
    expect(await config(`get ${key}`, { place })).toMatchObject({ exit: 0, stdout: `${stored}\n`, stderr: '' });
  });

  test('unset removes one value, also one that is no setting', async () => {
    const place = new Place();
    place.writeConfig({ model: 'x', modle: 'y', size: 'auto' });
    for (const key of ['model', 'modle'])
      expect(await config(`unset ${key}`, { place })).toMatchObject({ exit: 0, stdout: '', stderr: '' });
    expect(place.readConfig()).toEqual({ size: 'auto' });
  });

  test.each([
    ['set count 11', 'count 11 is not a whole number from 1 to 10'],
    ['set size 7x7', 'size 7x7 is not a size'],
    ['set format gif', 'format gif is not a known value'],
    ['set sidecar perhaps', 'sidecar perhaps is neither true nor false'],
    ['set timeout -1', ''],
    ['set timeout never', 'timeout never is not a number of seconds'],
    ['set baseUrl example.com', 'baseUrl example.com is not an http(s) URL'],
    ['set baseUrl ftp://example.com', 'is not an http(s) URL'],
    ['set baseUrl http://h/?a=b', 'has a query or a fragment'],
    ['set baseUrl http://h/?', 'has a query or a fragment'],
    ['set baseUrl http://h/#a', 'has a query or a fragment'],
    ['set baseUrl http://u:p@h/', 'baseUrl has a user name or password in it'],
    ['set taskUrl http://{task_id}.h/', 'has {task_id} in the name of its host'],
    ['set taskUrl http://u@h/{task_id}', 'taskUrl has a user name or password in it'],
    ['set taskUrl http:h/{task_id}', 'is not an http(s) URL'],
    ['set timeout 86400.1', 'is not a number of seconds above 0 and up to 86400'],
    ['set retries 1e1', 'is not a whole number from 0 to 20'],
    ['set format constructor', 'is not a known value'],
    ['set resize x', 'is not a size with sides from 1 to 16384'],
    ['set resize 0x4', 'is not a size with sides from 1 to 16384'],
    ['set resize 16385x', 'is not a size with sides from 1 to 16384'],
    ['set taskUrl http://127.0.0.1/', 'has no {task_id} in it'],
    ['set sandbox true', 'sandbox is not '],
    ['set modle x', 'modle is not a setting'],
    ['set profile work', 'there is no profile "work"'],
    ['set --profile a/b model x', '"a/b" cannot name a profile'],
    ['set model', 'missing required argument'],
    ['set model a b', 'too many arguments'],
    ['get modle', 'modle is not a setting'],
    ['get format', 'format is not set'],
    ['unset model', 'model is not stored'],
    ['unset --profile work model', 'there is no profile "work"'],
    ['list --profile work', 'there is no profile "work"'],
    ['edit', 'unknown command'],
  ])('%s is refused and stores nothing', async (line, error) => {
    expect(await refused(['config', ...line.split(' ')])).toContain(error);
  });

  test('a mistyped setting is told its name', async () => {
    expect((await config('set modle x')).stderr).toContain('hint: did you mean model?');
  });

  test('path prints where the file is', async () => {
    const place = new Place();
    expect(await config('path', { place })).toMatchObject({ exit: 0, stdout: `${place.configFile}\n`, stderr: '' });
    const elsewhere = { IMGGEN_CONFIG_DIR: undefined };
    const inHome = join(place.home, '.config/imggen/config.json');
    expect(await config('path', { place, env: elsewhere })).toMatchObject({ stdout: `${inHome}\n` });
    expect(await config('path', { place, env: { ...elsewhere, XDG_CONFIG_HOME: '/xdg' } })).toMatchObject({
      stdout: '/xdg/imggen/config.json\n',
    });
  });

  test('list shows the values in force, the key in its short form, and where each comes from', async () => {
    const place = new Place();
    place.writeConfig({ apiKey: testKey, size: 'square', count: 2, profiles: { work: { count: 3 } } });
    const env = { IMGGEN_MODEL: 'dall-e-2', IMGGEN_PROFILE: 'work' };
    const list = await config('list', { place, env });
    expect(list).toMatchObject({ exit: 0, stderr: '' });
    const lines = list.stdout.trimEnd().split('\n');
    expect(lines).toEqual(
      expect.arrayContaining(['count=3', 'size=square', 'model=dall-e-2', `apiKey=${shownKey}`, 'timeout=300']),
    );
    const origins = (await config('list --show-origin', { place, env })).stdout.trimEnd().split('\n');
    expect(origins).toHaveLength(lines.length);
    expect(origins).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^profile\b.*\tcount=3$/),
        expect.stringMatching(/^file\b.*\tsize=square$/),
        'environment IMGGEN_MODEL\tmodel=dall-e-2',
        'default\ttimeout=300',
      ]),
    );
    const json = await config('list --show-origin --json', { place, env });
    expect(JSON.parse(json.stdout)).toMatchObject({
      count: { value: 3, origin: 'profile' },
      apiKey: { value: shownKey, origin: 'file' },
      model: { value: 'dall-e-2', origin: 'environment' },
    });
  });

  test.each([
    [testKey, shownKey],
    ['sk-fifteen-char', '…'],
  ])('get shows the key %s in its short form', async (apiKey, shown) => {
    const place = new Place();
    place.writeConfig({ apiKey });
    expect(await config('get apiKey', { place })).toMatchObject({ exit: 0, stdout: `${shown}\n` });
  });
});

describe('a value comes from', () => {
  const layers = {
    flag: { args: ['-m', 'from-flag'] },
    environment: { env: { IMGGEN_MODEL: 'from-environment' } },
    profile: { args: ['--profile', 'work'] },
    file: {},
  };
  const order = ['flag', 'environment', 'profile', 'file'] as const;
  const inFile = { model: 'from-file', profiles: { work: { model: 'from-profile' } } };

  /** The model of a dry run with these layers. */
  async function modelWith(args: string[], env: Setup['env'], stored?: object) {
    const place = new Place();
    if (stored) place.writeConfig(stored);
    const { exit, stdout, stderr } = await imggen(['a cat', '--dry-run', '--json', ...args], { place, env });
    expect(exit, stderr).toBe(0);
    return (JSON.parse(stdout) as { request: { body: { model: string } } }).request.body.model;
  }

  test.each(order.map((name, index) => [name, order.slice(index)] as const))('%s, before %s', async (name, given) => {
    const used = given.map((each): { args?: string[]; env?: Setup['env'] } => layers[each]);
    const args = used.flatMap((layer) => layer.args ?? []);
    const env = Object.assign({}, ...used.map((layer) => layer.env)) as Setup['env'];
    expect(await modelWith(args, env, inFile)).toBe(`from-${name}`);
  });

  test('the default, when nothing else gives it', async () => {
    expect(await modelWith([], {})).toBe('gpt-image-1.5');
  });

  test('no variable that is empty', async () => {
    expect(await modelWith([], { IMGGEN_MODEL: '', IMGGEN_PROFILE: '' }, inFile)).toBe('from-file');
  });

  test.each([
    ['IMGGEN_PROFILE', { IMGGEN_PROFILE: 'work' }, inFile],
    ['the profile that the file names', {}, { ...inFile, profile: 'work' }],
  ])('a profile that is chosen by %s', async (_name, env, stored) => {
    expect(await modelWith([], env, stored)).toBe('from-profile');
  });

  test('every variable of the environment', async () => {
    const given =
      'COUNT=2 SIZE=portrait FORMAT=webp QUALITY=low COMPRESSION=70 STREAM=true USER=me OUT=pictures NAME=cat-{i} BASE_URL=http://127.0.0.1:1/v9/';
    const env = Object.fromEntries(given.split(' ').map((each) => `IMGGEN_${each}`.split('='))) as Record<
      string,
      string
    >;
    const { stdout } = await imggen(['a cat', '--dry-run', '--json'], { env });
    expect(JSON.parse(stdout)).toMatchObject({
      request: {
        url: 'http://127.0.0.1:1/v9/image/generation',
        body: {
          n: 2,
          size: '1024x1536',
          output_format: 'webp',
          partial_images: 'low',
          output_compression: 70,
          stream: true,
          user: 'me',
        },
      },
      files: ['pictures/cat-1.webp', 'pictures/cat-2.webp'],
    });
  });

  test('a switch of the file, which a flag turns off again', async () => {
    const place = new Place();
    place.writeConfig({ stream: true });
    const run = (...args: string[]) => imggen(['a cat', '--dry-run', '--json', ...args], { place });
    expect((await run()).json()).toMatchObject({ request: { body: { stream: true } } });
    expect((await run('--no-stream')).json()).toMatchObject({ request: { body: { stream: false } } });
  });

  test.each([
    ['IMGGEN_COUNT', { env: { IMGGEN_COUNT: '99' } }, 'IMGGEN_COUNT 99 is not a whole number from 1 to 10'],
    ['the file', { stored: { count: 99 } }, /count in .*config\.json: 99 is not a whole number/],
    ['a size of the file', { stored: { size: '7x7' } }, /size in .*config\.json:? 7x7 is not a size of gpt-image-1\.5/],
    [
      'a key that is no setting',
      { stored: { modle: 'x' } },
      /"modle" in .*config\.json is not a setting\nhint: did you mean model\?/,
    ],
    [
      'a profile that there is not',
      { stored: inFile, args: ['--profile', 'home'] },
      'there is no profile "home"\nhint: one of: work',
    ],
  ] as [string, { env?: Setup['env']; stored?: object; args?: string[] }, string | RegExp][])(
    'and a wrong one is named by where it stands: %s',
    async (_name, { env, stored, args = [] }, error) => {
      const place = new Place();
      if (stored) place.writeConfig(stored);
      expect(await refused(['a cat', '--dry-run', ...args], { place, env })).toMatch(error);
    },
  );
});

describe('the key comes from', () => {
  const other = 'sk-other-00000000000000009999';
  test('the environment before the file', async () => {
    const place = new Place();
    place.writeConfig({ apiKey: testKey });
    expect(await keySent(place, { IMGGEN_API_KEY: other })).toMatchObject({ exit: 0, key: `Bearer ${other}` });
  });

  test('the profile before the file', async () => {
    const place = new Place();
    place.writeConfig({ apiKey: testKey, profiles: { work: { apiKey: other } } });
    expect(await keySent(place, {}, ['--profile', 'work'])).toMatchObject({ exit: 0, key: `Bearer ${other}` });
  });

  test('the first line that apiKeyCommand prints', async () => {
    const place = new Place();
    place.writeConfig({
      apiKeyCommand: `printf '${testKey.slice(0, 9)}'; printf '${testKey.slice(9)}\\nnext line\\n'; echo noise >&2`,
    });
    expect(await keySent(place)).toMatchObject({ exit: 0, key: `Bearer ${testKey}` });
  });

  test("the profile's command before the file's key, and the environment's key before both", async () => {
    const place = new Place();
    place.writeConfig({ apiKey: testKey, profiles: { work: { apiKeyCommand: `echo ${other}` } } });
    expect(await keySent(place, {}, ['--profile', 'work'])).toMatchObject({ key: `Bearer ${other}` });
    expect(await keySent(place, { IMGGEN_API_KEY: 'sk-of-the-environment' }, ['--profile', 'work'])).toMatchObject({
      key: 'Bearer sk-of-the-environment',
    });
  });

  test.each([
    ['no command and no key', {}, 'no API key is set'],
    [
      'a command that fails',
      { apiKeyCommand: 'echo "vault is locked" >&2; exit 4' },
      'apiKeyCommand failed\ncause: it ended with code 4: vault is locked',
    ],
    [
      'a command that prints nothing',
      { apiKeyCommand: 'true' },
      'the first line that apiKeyCommand printed is not an API key',
    ],
    [
      'a command that prints a sentence',
      { apiKeyCommand: 'echo please log in' },
      'the first line that apiKeyCommand printed is not an API key',
    ],
  ])('%s: exit 3 before anything is sent', async (_name, stored, error) => {
    const place = new Place();
    place.writeConfig(stored);
    const { exit, stderr, key } = await keySent(place);
    expect(exit).toBe(3);
    expect(stderr).toContain(`error: ${error}`);
    expect(stderr).toMatch(/\nhint: .*imggen/);
    expect(key).toBeUndefined();
  });

  test('a command that is not run when nothing will be sent', async () => {
    const place = new Place();
    place.writeConfig({ apiKeyCommand: `touch ran; echo ${testKey}` });
    for (const args of [
      ['a cat', '--dry-run'],
      ['a cat', '-s', '7x7'],
      ['a cat', '--sandbox'],
    ])
      await imggen(args, { place });
    expect(place.files()).not.toContain('ran');
  });
});

describe('a broken config file is reported with its line and stays as it is', () => {
  const broken = '{\n  "model": "dall-e-3",\n  "size": }\n';

  test.each([
    ['a cat'],
    ['a cat', '--dry-run'],
    ['login'],
    ['logout'],
    ['config', 'list'],
    ['config', 'set', 'model', 'x'],
    ['config', 'unset', 'model'],
  ])('by imggen %s %s %s', async (...args) => {
    const place = new Place();
    place.writeConfig(broken);
    const stderr = await refused(args.filter(Boolean), { place, stdin: testKey });
    expect(stderr).toMatch(new RegExp(`^error: ${place.configFile}:3 is not valid JSON\ncause: .*\nhint: `));
  });

  test.each([
    ['', ':1 is not valid JSON'],
    ['{"model": "x",}', ':1 is not valid JSON'],
    ['{\n"model": "x"\n', ':3 is not valid JSON'],
    ['[]', ' does not hold a JSON object'],
    ['{"profiles": []}', '"profiles" in '],
    ['{"model": null}', '"model" in '],
    ['{"timeout": 1e999}', '"timeout" in '],
    ['{"profiles": {"work": {"timeout": -1e999}}}', '"profiles.work.timeout" in '],
    ['{"profiles": {"work": {"model": {}}}}', '"profiles.work.model" in '],
  ])('which has %j', async (content, error) => {
    const place = new Place();
    place.writeConfig(content);
    const stderr = await refused(['config', 'set', 'model', 'x'], { place });
    expect(stderr).toContain(error);
    expect(stderr).toContain(place.configFile);
  });

  test('config path needs no file that can be read', async () => {
    const place = new Place();
    place.writeConfig(broken);
    expect(await config('path', { place })).toMatchObject({ exit: 0, stdout: `${place.configFile}\n` });
  });
});

describe('profiles', () => {
  test('are set, used, chosen and removed', async () => {
    const place = new Place();
    expect((await config('set --profile work model dall-e-3', { place })).exit).toBe(0);
    expect((await imggen(['login', '--profile', 'work'], { place, stdin: testKey })).exit).toBe(0);
    expect((await config('set profile work', { place })).exit).toBe(0);
    expect(place.readConfig()).toEqual({ profile: 'work', profiles: { work: { model: 'dall-e-3', apiKey: testKey } } });
    expect(await config('get model', { place })).toMatchObject({ stdout: 'dall-e-3\n' });
    expect(await config('get profile', { place })).toMatchObject({ stdout: 'work\n' });
    expect(await keySent(place)).toMatchObject({ exit: 0, key: `Bearer ${testKey}` });
    expect((await config('unset profile', { place })).exit).toBe(0);
    expect((await config('unset --profile work model', { place })).exit).toBe(0);
    expect((await imggen(['logout', '--profile', 'work'], { place })).exit).toBe(0);
    expect(JSON.stringify(place.readConfig())).not.toContain('dall-e-3');
  });

  test.each(['', 'a/b', 'the work'])('cannot be named %j by login either', async (name) => {
    expect(await refused(['login', '--profile', name], { stdin: testKey })).toContain('cannot name a profile');
  });
});
