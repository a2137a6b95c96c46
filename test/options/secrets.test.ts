import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Answer, gateway } from '../support/gateway.ts';
import { image } from '../support/images.ts';
import { imggen, shownKey, testKey } from '../support/imggen.ts';
import { Place } from '../support/place.ts';

// support/imggen.ts checks after every run that the key is seen nowhere. Here servers provoke it.

const echo: Record<string, Answer> = {
  'in the message of an error': {
    status: 400,
    body: `{"code":40001,"message":"bad key ${testKey}","request_id":"req-${testKey}"}`,
  },
  "in OpenAI's envelope": {
    status: 401,
    body: `{"error":{"type":"invalid_request_error","code":"invalid_api_key","message":"Incorrect API key: ${testKey}"}}`,
  },
  'as the code of an error': { status: 400, body: `{"code":"${testKey}","message":"no"}` },
  'in a header': { status: 500, headers: { 'x-request-id': testKey }, body: '{}' },
  'in a page': { status: 502, body: `<html>${testKey}</html>` },
  'in the reason phrase of a page under 200': { body: `${testKey} <html>` },
  'as the id of a task': {
    body: `{"code":0,"data":{"urls":[],"task_id":"${testKey}","task_status":"pending"},"request_id":"${testKey}"}`,
  },
  'as the state of a task': {
    body: `{"code":0,"data":{"urls":[],"task_id":"t","task_status":"failed"},"message":"${testKey}"}`,
  },
  'beside the images': { body: `{"code":0,"data":{"urls":[],"usage":{"${testKey}":1},"expired":"${testKey}"}}` },
  'as an image': { body: `{"data":[{"b64_json":"${Buffer.from(testKey).toString('base64')}"}]}` },
  'as the text of an image': { body: `{"data":[{"b64_json":"${testKey}"}]}` },
  'in an event': { body: `data: {"type":"error","error":{"message":"${testKey}"}}\n\n` },
  'in a redirect': { status: 302, headers: { location: `/${testKey}` }, body: '' },
  'with a control character in it': {
    status: 400,
    body: `{"code":1,"message":"${testKey.slice(0, 12)}\\u0007${testKey.slice(12)}"}`,
  },
  'with a character in it that is not seen': {
    status: 400,
    body: `{"code":1,"message":"${testKey.slice(0, 12)}\\u200e${testKey.slice(12)}"}`,
  },
};

describe('a server that echoes the key', () => {
  test.each(Object.entries(echo))('%s does not make it seen', async (_name, answer) => {
    const api = await gateway({ generation: answer });
    const { exit } = await imggen(['a cat', '--retries', '0', '--json', '--verbose', '--sidecar'], { gateway: api });
    expect(exit).not.toBe(0);
    expect(exit).not.toBe(1);
  });

  test('shows its short form instead', async () => {
    const api = await gateway({ generation: echo['in the message of an error'] as Answer });
    const { stderr } = await imggen(['a cat'], { gateway: api });
    expect(stderr).toContain(`bad key ${shownKey}`);
  });

  test('in the URL of an image shows it in the private journal alone, and the URL works', async () => {
    const place = new Place();
    const path = `/image?key=${testKey}`;
    const answer = { body: `{"code":0,"data":{"urls":["{{origin}}${path}"]}}` };
    const api = await gateway({ generation: answer, paths: { [path]: [{ body: image('cat.png') }, { status: 404 }] } });
    const args = ['a cat', '--json', '--verbose', '--sidecar', '--retries', '0'];
    const saved = await imggen(args, { gateway: api, place, unchecked: true });
    const failed = await imggen(args, { gateway: api, place, unchecked: true });
    expect([saved.exit, failed.exit]).toEqual([0, 7]);
    for (const { stdout, stderr } of [saved, failed]) expect(stdout + stderr).not.toContain(testKey);
    for (const file of place.everything().filter((name) => readFileSync(name).includes(testKey))) {
      expect(file.startsWith(place.state)).toBe(true);
      expect(statSync(dirname(file)).mode & 0o077).toBe(0);
    }
  });

  test('does not make it seen in a sidecar and in --json', async () => {
    const place = new Place();
    const body = `{"code":0,"data":{"urls":["{{origin}}/images/cat.png"],"usage":{"${testKey}":1},"task_id":"task-${testKey}"},"request_id":"${testKey}"}`;
    const api = await gateway({ generation: [{ body }] });
    const { exit, stdout } = await imggen(['a cat', '--json', '--sidecar', '--verbose'], { gateway: api, place });
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ request_id: shownKey, task_id: `task-${shownKey}` });
    expect(place.json('a-cat-1.png.json')).toMatchObject({ request_id: shownKey, task_id: `task-${shownKey}` });
  });
});

describe('--verbose', () => {
  test('shows each exchange, with the key and the images shortened', async () => {
    const body =
      '{"code":0,"data":{"urls":["{{origin}}/images/cat.png","data:image/png;base64,{{cat.png}}"]},"request_id":"req-1"}';
    const api = await gateway({ generation: [{ headers: { 'set-cookie': 'session=secret' }, body }] });
    const { exit, stdout, stderr } = await imggen(['a cat', '-n', '2', '--verbose'], { gateway: api });
    expect({ exit, stdout }).toEqual({ exit: 0, stdout: 'a-cat-1.png\na-cat-2.png\n' });
    expect(stderr).toContain(`> POST ${api.baseUrl}/image/generation\n`);
    expect(stderr).toContain(`> authorization: Bearer ${shownKey}\n`);
    expect(stderr).toContain('> {"model":"gpt-image-1.5","prompt":"a cat","n":2');
    expect(stderr).toContain('< HTTP 200 ');
    expect(stderr).toContain('req-1');
    expect(stderr).toContain(`> GET ${api.origin}/images/cat.png\n`);
    expect(stderr).not.toContain('session=secret');
    expect(stderr).not.toContain(image('cat.png').toString('base64').slice(40, 80));
  });

  test('shortens a long prompt', async () => {
    const api = await gateway({ generation: [{ status: 400, body: '{}' }] });
    const { stderr } = await imggen(['--verbose'], { gateway: api, stdin: 'cat '.repeat(5000) });
    expect(stderr.length).toBeLessThan(6000);
  });
});

test('--dry-run shows the key of the environment in its short form', async () => {
  const { exit, stdout } = await imggen(['a cat', '--dry-run'], { env: { IMGGEN_API_KEY: testKey } });
  expect(exit).toBe(0);
  expect(stdout).toContain(`authorization: Bearer ${shownKey}\n`);
});

test('a key that cannot be one is not shown when it is refused', async () => {
  const { exit, stderr } = await imggen(['a cat'], { env: { IMGGEN_API_KEY: `${testKey} ${testKey}` } });
  expect(exit).toBe(2);
  expect(stderr).toContain('error: IMGGEN_API_KEY ');
});
