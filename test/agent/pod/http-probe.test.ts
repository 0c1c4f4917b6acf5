import { createServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { HTTPGetAction } from 'kubernetes-types/core/v1.d.ts';
import t, { type Test } from 'tap';
import { type HttpOutcome, tryHttp } from '../../../agent/pod/http-probe.ts';
import { CertificateAuthority } from '../../../hub/security/certificate-authority.ts';

/* HTTP probes, as the kubelet sends and judges them. */

const HOST = '127.0.0.1';

async function listening(t: Test, server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

t.test('where an answer leads', async (t) => {
  const other = await listening(
    t,
    createServer((request, response) => response.end(request.headers.host)),
  );
  const seen: string[] = [];
  const hops = (url: string) => Number(url.split('/')[2]);
  const routes: Record<string, RequestListener> = {
    ok: (_, response) => response.end('fine'),
    broken: (_, response) => response.writeHead(500).end(),
    round: (_, response) => response.writeHead(302, { location: '/round' }).end(),
    hops: ({ url = '' }, response) =>
      response.writeHead(307, { location: hops(url) > 1 ? `/hops/${hops(url) - 1}` : '/ok' }).end(),
    relative: (_, response) => response.writeHead(301, { location: 'ok?x=1' }).end(),
    port: (_, response) => response.writeHead(308, { location: `http://${HOST}:${other}/` }).end(),
    elsewhere: (_, response) =>
      response.writeHead(302, { location: 'http://elsewhere.invalid/' }).end('see there'),
    scheme: (_, response) => response.writeHead(302, { location: '//elsewhere.invalid/x' }).end(),
    nowhere: (_, response) => response.writeHead(302).end('nowhere'),
    choices: (_, response) => response.writeHead(300, { location: '/ok' }).end('x'.repeat(500)),
    unchanged: (_, response) => response.writeHead(304).end(),
    worse: (_, response) => response.writeHead(303, { location: '/broken' }).end(),
    garbage: (_, response) => response.writeHead(302, { location: 'http://[' }).end(),
  };
  const port = await listening(
    t,
    createServer((request, response) => {
      seen.push(request.url ?? '');
      routes[(request.url ?? '').split(/[/?]/)[1] ?? '']?.(request, response);
    }),
  );
  const warning = (text: string) => ({ warning: `Probe terminated redirects, Response body: ${text}` });
  const rows: [string, HttpOutcome | RegExp, number][] = [
    ['/ok', {}, 1],
    ['/broken', { failure: 'it answered with status 500' }, 1],
    ['/relative', {}, 2],
    ['/hops/9', {}, 10],
    ['/hops/10', /stopped after 10 redirects/, 10],
    ['/round', /stopped after 10 redirects/, 10],
    ['/port', {}, 1],
    ['/worse', { failure: 'it answered with status 500' }, 2],
    ['/elsewhere', warning('see there'), 1],
    ['/scheme', warning(''), 1],
    ['/nowhere', warning('nowhere'), 1],
    ['/choices', warning('x'.repeat(200)), 1],
    ['/unchanged', warning(''), 1],
    ['/garbage', /Invalid URL/, 1],
  ];
  for (const [path, expected, requests] of rows) {
    seen.length = 0;
    const outcome = tryHttp({ path, port }, { host: HOST, port }, AbortSignal.timeout(5_000));
    if (expected instanceof RegExp) await t.rejects(outcome, expected, path);
    else t.same(await outcome, expected, path);
    t.equal(seen.length, requests, `${path}: requests`);
  }
});

t.test('what is sent', async (t) => {
  const port = await listening(
    t,
    createServer(({ url, rawHeaders }, response) => {
      const headers = rawHeaders.flatMap((name, at) =>
        at % 2 === 0 && name.toLowerCase() !== 'connection'
          ? `${name.toLowerCase()}: ${rawHeaders[at + 1]}`
          : [],
      );
      response.writeHead(300).end([url, ...headers.sort()].join('|'));
    }),
  );
  const own = `${HOST}:${port}`;
  const agent = 'user-agent: kube-probe/1.34';
  const header = (...pairs: [string, string][]) => ({
    httpHeaders: pairs.map(([name, value]) => ({ name, value })),
  });
  const rows: [string, Partial<HTTPGetAction>, string][] = [
    ['nothing said', {}, `/|accept: */*|host: ${own}|${agent}`],
    ['a path without a slash', { path: 'healthz' }, `/healthz|accept: */*|host: ${own}|${agent}`],
    ['a query', { path: '/a?b=c?d&e=%20' }, `/a?b=c?d&e=%20|accept: */*|host: ${own}|${agent}`],
    ['what paths cannot have', { path: '/a b#c' }, `/a%20b|accept: */*|host: ${own}|${agent}`],
    ['another name', header(['Host', 'app.example']), `/|accept: */*|host: app.example|${agent}`],
    [
      'names and values',
      header(['X-Key', 'a'], ['x-key', 'b'], ['Y', '']),
      `/|accept: */*|host: ${own}|${agent}|x-key: a|x-key: b|y: `,
    ],
    [
      'usual ones instead',
      header(['user-agent', 'me'], ['Accept', 'text/html']),
      `/|accept: text/html|host: ${own}|user-agent: me`,
    ],
    ['usual ones not at all', header(['User-Agent', ''], ['Accept', '']), `/|host: ${own}`],
  ];
  for (const [what, action, expected] of rows) {
    const { warning } = await tryHttp({ port, ...action }, { host: HOST, port }, AbortSignal.timeout(5_000));
    const said = expected.trim().slice(0, 200);
    t.equal(warning, `Probe terminated redirects, Response body: ${said}`, what);
  }
});

t.test('the body counts, as far as it is looked at', async (t) => {
  const port = await listening(
    t,
    createServer(({ url }, response) => {
      response.writeHead(200);
      if (url === '/endless') response.write(Buffer.alloc(20 * 1024));
      else response.write('begun', () => url === '/broken' && response.destroy());
    }),
  );
  const ask = (path: string) => tryHttp({ port, path }, { host: HOST, port }, AbortSignal.timeout(500));
  t.same(await ask('/endless'), {}, 'of more than 10 KiB the rest is not waited for');
  await t.rejects(ask('/silent'), /abort/, 'one that never ends is too slow');
  await t.rejects(ask('/broken'), /aborted|hang up|ECONNRESET/);
});

t.test('HTTPS: whoever it is', async (t) => {
  const authority = await CertificateAuthority.load(await CertificateAuthority.create('nobody'));
  const { certificate: cert, key } = await authority.issueServer(['elsewhere.example'], 1);
  const names: (string | false | null)[] = [];
  const server = createHttpsServer({ key, cert }, (_, response) => response.writeHead(204).end());
  server.on('secureConnection', ({ servername }) => names.push(servername ?? false));
  const port = await listening(t, server as unknown as ReturnType<typeof createServer>);
  const httpHeaders = [{ name: 'Host', value: 'app.example' }];
  const action = { port, scheme: 'HTTPS', httpHeaders } as const;
  t.same(await tryHttp(action, { host: HOST, port }, AbortSignal.timeout(5_000)), {});
  t.same(names, [false], 'as the kubelet, it asks an address for no name');
});
