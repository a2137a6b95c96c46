import { lookup } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { ImggenError } from '../errors.ts';

/** Addresses that lead into this machine or its network: IANA's special-purpose registries, as far as they route. */
const privateRanges: readonly [address: string, prefix: number, family: 'ipv4' | 'ipv6'][] = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 3, 'ipv4'],
  ['::', 127, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
];

let blocked: BlockList | undefined;

/** Whether an IP address is loopback, link-local, private, multicast or unspecified. */
function isPrivateAddress(address: string): boolean {
  if (blocked === undefined) {
    blocked = new BlockList();
    for (const range of privateRanges) blocked.addSubnet(...range);
  }
  // BlockList also finds IPv4 addresses that are written as IPv6.
  return blocked.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** Whether a URL's host is this machine, as far as its name says. */
export function isLoopbackHost(url: string): boolean {
  const host = hostOf(url);
  return (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === '::1' ||
    (isIP(host) === 4 && host.startsWith('127.'))
  );
}

/** Whether a URL's host is on this machine or its network; a name that cannot be looked up is not. */
export async function isPrivateUrl(url: string): Promise<boolean> {
  if (isLoopbackHost(url)) return true;
  const host = hostOf(url);
  if (isIP(host)) return isPrivateAddress(host);
  return await new Promise((resolve) => {
    lookup(host, { all: true }, (error, addresses) =>
      resolve(!error && addresses.some(({ address }) => isPrivateAddress(address))),
    );
  });
}

/** Throws ImggenError `download_failed` for a URL whose host is written as a private address. */
export function refusePrivateLiteral(url: string): void {
  const host = hostOf(url);
  if (isLoopbackHost(url) || (isIP(host) && isPrivateAddress(host))) throw refusal(host);
}

/** A look-up for connections that must not lead into this machine or its network, whatever a name stands for. */
export const publicLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, options, (error, address, family) => {
    const addresses = Array.isArray(address) ? address.map((entry) => entry.address) : [address];
    const isRefused = !error && addresses.some(isPrivateAddress);
    callback(isRefused ? refusal(hostname) : error, address, family);
  });
};

function refusal(host: string): ImggenError {
  return new ImggenError('download_failed', `${host} is a private address, and the API is not`, {
    hint: 'if that is right: imggen config set allowPrivateDownloads true',
  });
}

function hostOf(url: string): string {
  // A dot at the end is the name's root, and the same name.
  return new URL(url).hostname.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}
