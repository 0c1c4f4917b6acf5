import t from 'tap';
import { gateServersProblem, parseGateServers, serverRefusal } from '../../../hub/fleet/gate-servers.ts';

t.test('servers are origins: another scheme, port or name is another server', async (t) => {
  const servers = parseGateServers('prom.example:9090, http://10.0.0.5:8080,hooks.example');
  for (const [url, isAllowed] of [
    ['https://prom.example:9090/api', true],
    ['https://PROM.example:9090/api', true],
    ['http://prom.example:9090/api', false],
    ['https://prom.example/api', false],
    ['https://prom.example.evil.example:9090/', false],
    ['http://10.0.0.5:8080/', true],
    ['https://10.0.0.5:8080/', false],
    ['https://hooks.example/a', true],
    ['https://hooks.example:443/a', true],
    ['http://169.254.169.254/', false],
  ] as const)
    t.equal(serverRefusal(url, servers) === undefined, isAllowed, url);
  t.match(serverRefusal('https://a.example/', servers), /--gate-servers, and https:\/\/a\.example is not/);
});

t.test('a setting that cannot be meant is told', async (t) => {
  t.equal(gateServersProblem(''), undefined);
  t.equal(gateServersProblem('a.example,http://b.example:1'), undefined);
  for (const bad of ['a.example/path', 'ftp://a.example', 'https://u:p@a.example', 'a b', 'https://'])
    t.match(gateServersProblem(`ok.example,${bad}`), `has ${JSON.stringify(bad)}`, bad);
});
