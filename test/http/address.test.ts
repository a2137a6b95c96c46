import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isPublicAddress, publicLookup } from '../../src/http/address.ts';

test.each([
  ['1.2.3.4', true],
  ['172.32.0.1', true],
  ['2606:4700::1111', true],
  ['127.0.0.1', false],
  ['100.64.0.1', false],
  ['192.0.0.8', false],
  ['198.18.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['fe80::1%eth0', false],
  ['fd00::1', false],
  ['ff02::1', false],
  ['fec0::1', false],
  ['4000::1', false],
  ['2001:db8::1', false],
  // Embedded IPv4: mapped, NAT64, 6to4 count as the address within; compatible, translated, Teredo, local NAT64 never pass.
  ['::ffff:1.2.3.4', true],
  ['::ffff:10.0.0.1', false],
  ['64:ff9b::1.2.3.4', true],
  ['64:ff9b::10.0.0.1', false],
  ['2002:102:304::1', true],
  ['2002:a00:1::1', false],
  ['64:ff9b:1::1.2.3.4', false],
  ['::127.0.0.1', false],
  ['::102:304', false],
  ['::ffff:0:1.2.3.4', false],
  ['2001:0:102:304::fefd:fcfb', false],
  ['no address', false],
])('whether %s is on the public Internet: %s', (address, isPublic) => {
  expect(isPublicAddress(address)).toBe(isPublic);
});

describe('a look-up for public addresses only', () => {
  /** What it calls back with for a name that has these addresses. */
  function found(...addresses: string[]): Promise<unknown> {
    const resolve: LookupFunction = (_name, _options, callback) =>
      callback(
        null,
        addresses.map((address): LookupAddress => ({ address, family: 4 })),
      );
    return new Promise((done) =>
      publicLookup(resolve)('name.example', { all: true }, (error, all) => done(error?.message ?? all)),
    );
  }

  test('finds a name whose addresses are all public', async () => {
    expect(await found('1.2.3.4', '1.2.3.5')).toHaveLength(2);
  });

  test.each([[['10.0.0.1']], [['1.2.3.4', '10.0.0.1']], [['10.0.0.1', '1.2.3.4']]])(
    'refuses a name that has %j',
    async (addresses) => {
      expect(await found(...addresses)).toBe('name.example is a private address, and the API is not');
    },
  );

  test('asks the system unless another look-up is given', async () => {
    const message = await new Promise((done) => publicLookup()('localhost', {}, (error) => done(error?.message)));
    expect(message).toBe('localhost is a private address, and the API is not');
  });
});
