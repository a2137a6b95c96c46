import { lookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ImggenError } from '../errors.ts';

/** IPv6 prefixes that embed an IPv4 address, where the packets end, and its first byte: IPv4-mapped, NAT64, 6to4. */
const embedded: readonly (readonly [prefix: string, firstByte: number])[] = [
  ['::ffff:0:0/96', 12],
  ['64:ff9b::/96', 12],
  ['2002::/16', 2],
];

/**
 * Whether an IP address is on the public Internet. This is an allow list: special ranges, and all of IPv6 that IANA has
 * not given out (anything but 2000::/3), are refused.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.range() === 'unicast';
  const bytes = parsed.toByteArray();
  for (const [prefix, firstByte] of embedded)
    if (parsed.match(ipaddr.IPv6.parseCIDR(prefix)))
      return isPublicAddress(bytes.slice(firstByte, firstByte + 4).join('.'));
  return parsed.range() === 'unicast' && parsed.match(ipaddr.IPv6.parseCIDR('2000::/3'));
}

/** Whether a URL's host names this machine itself. */
export function isLoopbackHost(url: string): boolean {
  const host = hostOf(url);
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

/** Whether a URL's host is on this machine or its network. A name without an address counts as public. */
export async function isPrivateUrl(url: string): Promise<boolean> {
  if (isPrivateLiteral(url)) return true;
  return await new Promise((resolve) => {
    lookup(hostOf(url), { all: true }, (error, addresses) =>
      resolve(!error && addresses.some(({ address }) => !isPublicAddress(address))),
    );
  });
}

/** Throws ImggenError `download_failed` for a URL whose host is written as a private address. */
export function refusePrivateLiteral(url: string): void {
  if (isPrivateLiteral(url)) throw refusal(hostOf(url));
}

/** A look-up that refuses a name with a private address, even when the name has a public one too. */
export function publicLookup(resolve: LookupFunction = lookup): LookupFunction {
  return (hostname, options, callback) =>
    resolve(hostname, options, (error, found, family) => {
      const addresses = Array.isArray(found) ? found.map(({ address }) => address) : [found];
      callback(error ?? (addresses.every(isPublicAddress) ? null : refusal(hostname)), found, family);
    });
}

function isPrivateLiteral(url: string): boolean {
  const host = hostOf(url);
  return isLoopbackHost(url) || (isIP(host) > 0 && !isPublicAddress(host));
}

function refusal(host: string): ImggenError {
  return new ImggenError('download_failed', `${host} is a private address, and the API is not`, {
    hint: 'if that is right: imggen config set allowPrivateDownloads true',
  });
}

function hostOf(url: string): string {
  // A dot at the end is the root of all names: `localhost.` is `localhost`.
  return new URL(url).hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}
