import { usageError } from '../errors.ts';
import { isLoopbackHost } from './address.ts';

/** The proxies of an environment. */
export interface Proxies {
  httpProxy: string;
  httpsProxy: string;
  noProxy: string;
}

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case; `host:port` means `http://host:port`, as for curl.
 * Undefined without a proxy. Throws ImggenError `usage` for a proxy that is not an http(s) URL.
 */
export function proxiesOf(env: Readonly<Record<string, string | undefined>>): Proxies | undefined {
  const [httpProxy, httpsProxy] = [proxy(env, 'HTTP_PROXY'), proxy(env, 'HTTPS_PROXY')];
  if (httpProxy === '' && httpsProxy === '') return undefined;
  return { httpProxy, httpsProxy, noProxy: env.no_proxy ?? env.NO_PROXY ?? '' };
}

/**
 * The proxy for a URL, if any. Without HTTPS_PROXY, https takes HTTP_PROXY. In NO_PROXY, a host stands for its
 * subdomains as well, `host:port` for that port alone, `*` for everything.
 */
export function proxyFor(url: string, { httpProxy, httpsProxy, noProxy }: Proxies): string | undefined {
  if (isLoopbackHost(url)) return undefined;
  const { protocol, hostname, port } = new URL(url);
  const isSecure = protocol === 'https:';
  const isExcepted = noProxy.split(/[,\s]+/).some((entry) => {
    const [, name = entry, only] = /^(.+):(\d+)$/.exec(entry) ?? [];
    if (only !== undefined && Number(only) !== Number(port || (isSecure ? 443 : 80))) return false;
    const host = name.replace(/^\*?\./, '').toLowerCase();
    return host !== '' && (host === hostname || hostname.endsWith(`.${host}`));
  });
  if (isExcepted || noProxy.trim() === '*') return undefined;
  return (isSecure && httpsProxy) || httpProxy || undefined;
}

function proxy(env: Readonly<Record<string, string | undefined>>, name: string): string {
  const given = env[name.toLowerCase()] ?? env[name] ?? '';
  if (given === '') return '';
  const url = given.includes('://') ? given : `http://${given}`;
  if (!/^https?:/i.test(url) || !URL.canParse(url))
    throw usageError(`${name} is not an http(s) URL`, 'http://proxy.example:3128');
  return url;
}
