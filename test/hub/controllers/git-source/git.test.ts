import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, statSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import {
  Clone,
  checkVersion,
  GIT_LIMITS,
  type GitLimits,
} from '../../../../hub/controllers/git-source/clone.ts';
import { type Credentials, credentialsFor } from '../../../../hub/controllers/git-source/credentials.ts';
import { type GitReason, gitError, runGit } from '../../../../hub/controllers/git-source/git.ts';
import { GitServer, type ServedRepository } from '../../../support/git-server.ts';

const server = await GitServer.start();
t.teardown(() => server.close());
const data = { ...server.credentials, 'ca.crt': server.certificate };
const { signal } = new AbortController();
const RUN = { timeoutMs: 20_000, signal };

function credentials(url: string, secret: Readonly<Record<string, string>> = data) {
  return (directory: string): Credentials => {
    const made = credentialsFor(url, secret, directory);
    if ('problem' in made) throw new Error(made.problem);
    return made;
  };
}

function cloneIn(t: Test, limits: Partial<GitLimits> = {}): Clone {
  return new Clone(join(t.testdir({}), 'a b%h', 'clone'), { ...GIT_LIMITS, ...limits });
}

const fetched = (clone: Clone, repository: ServedRepository) => {
  const url = server.httpsUrl(repository);
  return clone.fetch({ url, ref: undefined, credentials: credentials(url), ...RUN });
};

for (const [said, reason, message] of [
  ["fatal: couldn't find remote ref refs/heads/x", 'RevisionNotFound', /no such branch/],
  [
    "fatal: could not read Username for 'https://a': terminal prompts disabled",
    'AuthenticationFailed',
    /credentials/,
  ],
  ['fatal: unable to access: The requested URL returned error: 403', 'AuthenticationFailed', /credentials/],
  ['git@a: Permission denied (publickey).', 'AuthenticationFailed', /credentials/],
  [
    'Host key verification failed.\nfatal: Could not read from remote repository.',
    'HostKeyRefused',
    /known_hosts/,
  ],
  ['fatal: server certificate verification failed. CAfile: none', 'CertificateRefused', /ca\.crt/],
  ["fatal: repository 'https://a/b/' not found", 'RepositoryNotFound', /no repository at spec\.url/],
  ['exec: ssh: not found', 'GitMissing', /no program ssh/],
  ['fatal: Could not resolve host: a', 'FetchFailed', /Could not resolve host: a$/],
  ['hint: x\nwarning: y\n\u001b[31mfatal: z', 'FetchFailed', /^git said: \[31mfatal: z$/],
  ['', 'FetchFailed', /exit code 128/],
] as [string, GitReason, RegExp][])
  t.test(`git says ${JSON.stringify(said)}: ${reason}`, async (t) => {
    t.match(gitError(said, 128), { reason, message });
  });

for (const [what, url, secret, problem] of [
  [
    'both',
    'https://a/b',
    { bearerToken: 'a', username: 'b', password: 'c' },
    /both bearerToken and password/,
  ],
  ['half', 'https://a/b', { username: 'b' }, /username alone/],
  ['another half', 'https://a/b', { password: 'b' }, /password alone/],
  ['two lines', 'https://a/b', { bearerToken: 'a\nX-Other: b' }, /more than one line/],
  ['no key', 'ssh://a/b', { known_hosts: 'x' }, /lacks identity/],
  ['no hosts', 'ssh://a/b', { identity: 'x', known_hosts: ' ' }, /lacks known_hosts/],
] as const)
  t.test(`a Secret with ${what} is refused`, async (t) => {
    t.match(credentialsFor(url, secret, '/d'), { problem });
  });

t.test('a token goes to its own host alone, and into no file', async (t) => {
  const made = credentials('https://git.example.com:8443/a/b', { bearerToken: 'secret' })('/d');
  const values = Object.values(made.env);
  t.ok(values.includes('http.https://git.example.com:8443/.extraHeader'));
  t.ok(values.includes('Authorization: Bearer secret'));
  t.same(made.files, {});
  t.equal(made.env['GIT_ALLOW_PROTOCOL'], 'https');
});

t.test('without a program git, that is said', async (t) => {
  const run = { repository: '/nowhere', env: { PATH: '/nowhere' }, maxOutputBytes: 1, ...RUN };
  await t.rejects(runGit(['version'], run), { reason: 'GitMissing', message: /install it/ });
});

for (const [said, isOld] of [
  ['git version 2.31.0', false],
  ['git version 2.39.5 (Apple Git-154)', false],
  ['git version 3.0.0', false],
  ['git version 2.30.9\n', true],
  ['git version 1.99.0', true],
  ['', true],
] as const)
  t.test(`"${said}" is ${isOld ? 'too old' : 'new enough'}`, async (t) => {
    if (isOld) t.throws(() => checkVersion(said), { reason: 'GitMissing', message: /2\.31 or later/ });
    else t.doesNotThrow(() => checkVersion(said));
  });

t.test('git gets nothing of our environment, and no more than its share', async (t) => {
  process.env['GIT_TRACE'] = '1';
  t.teardown(() => delete process.env['GIT_TRACE']);
  const clone = { repository: join(t.testdir({}), 'r'), ...RUN };
  const told = await runGit(['-c', 'alias.env=!env', 'env'], { ...clone, maxOutputBytes: 65_536 });
  t.notMatch(told.toString(), /GIT_TRACE|SSH_AUTH_SOCK|HOLDFAST/);
  await t.rejects(
    runGit(['-c', 'alias.y=!yes', 'y'], { ...clone, maxOutputBytes: 1000 }),
    /more than 1000 bytes/,
  );
  await t.rejects(runGit(['-c', 'alias.s=!sleep 30', 's'], { ...clone, maxOutputBytes: 1, timeoutMs: 100 }), {
    message: /not done within 0\.1 s/,
  });
});

t.test('a commit is fetched and read, whatever the directory is called', async (t) => {
  const repository = server.repository('read');
  const clone = cloneIn(t);
  const first = repository.commit({
    'x/a.yaml': 'a: 1\n',
    'x/b.txt': 'no',
    'x/ü.yml': 'ü',
    'x.yaml': 'no',
    'x/.b/c.yaml': 'no',
  });
  t.equal(await fetched(clone, repository), first);
  t.same(await clone.manifests(first, 'x', RUN), [
    { path: 'x/a.yaml', text: 'a: 1\n' },
    { path: 'x/ü.yml', text: 'ü' },
  ]);
  const second = repository.commit({ 'x/a.yaml': '' });
  t.equal(await fetched(clone, repository), second);
  t.same((await clone.manifests(second, './x/', RUN))[0], { path: 'x/a.yaml', text: '' });
  await t.rejects(clone.manifests(second, 'y', RUN), { message: /has no folder "y"/ });
  await t.rejects(clone.manifests(second, ':(exclude)x', RUN), { message: /has no folder/ });
});

t.test('over ssh from the same directory', async (t) => {
  const repository = server.repository('read-ssh');
  const commit = repository.commit({ 'a.yaml': 'a' });
  const url = server.sshUrl(repository);
  const secret = { identity: server.identity, known_hosts: server.knownHosts() };
  const modes: number[] = [];
  const watching = (directory: string): Credentials => {
    const made = credentials(url, secret)(directory);
    modes.push(statSync(directory).mode & 0o777);
    return made;
  };
  t.equal(await cloneIn(t).fetch({ url, ref: undefined, credentials: watching, ...RUN }), commit);
  t.same(modes, [0o700]);
});

t.test('what is too large is refused, and what was fetched of it is gone', async (t) => {
  const repository = server.repository('large');
  repository.commit({ 'big.bin': randomBytes(2_000_000).toString('base64'), 'a.yaml': 'a' });
  const directory = join(t.testdir({}), 'clone');
  const clone = new Clone(directory, { ...GIT_LIMITS, repositoryBytes: 1_000_000 });
  await t.rejects(fetched(clone, repository), { reason: 'RepositoryTooLarge', message: /more than 976 KiB/ });
  t.notOk(existsSync(directory));
});

t.test('limits on manifests', async (t) => {
  const repository = server.repository('limits');
  const commit = repository.commit({ 'a.yaml': 'aaaa', 'b.yaml': 'bb' });
  for (const [limits, message] of [
    [{ manifestBytes: 3 }, /a\.yaml has 4 bytes: at most 3/],
    [{ manifestFiles: 1 }, /has 2 manifests: at most 1/],
    [{ totalManifestBytes: 5 }, /have 6 bytes: at most 5/],
  ] as const) {
    const clone = cloneIn(t, limits);
    await fetched(clone, repository);
    await t.rejects(clone.manifests(commit, '.', RUN), { reason: 'ManifestsRefused', message });
  }
});

t.test('a symbolic link is not followed', async (t) => {
  const repository = server.repository('link');
  mkdirSync(repository.work, { recursive: true });
  symlinkSync('/etc/passwd', join(repository.work, 'p.yaml'));
  const commit = repository.commit({ 'a.yaml': 'a' });
  const clone = cloneIn(t);
  await fetched(clone, repository);
  await t.rejects(clone.manifests(commit, '.', RUN), { message: /p\.yaml is a symbolic link/ });
});

t.test('a copy that a killed git has left locked is made anew', async (t) => {
  const repository = server.repository('locked');
  const commit = repository.commit({ 'a.yaml': 'a' });
  const directory = join(t.testdir({}), 'clone');
  const clone = new Clone(directory, GIT_LIMITS);
  await fetched(clone, repository);
  repository.git('commit', '--quiet', '--allow-empty', '-m', 'x');
  repository.git('push', '--quiet', 'origin', 'HEAD:refs/heads/main');
  mkdirSync(join(directory, 'shallow.lock'));
  await t.rejects(fetched(clone, repository));
  t.not(await fetched(clone, repository), commit);
});

t.test('a server that sends elsewhere is not followed, one that says nothing not waited for', async (t) => {
  const elsewhere = server.httpsUrl(server.repository('elsewhere'));
  const { CertificateAuthority } = await import('../../../../hub/security/certificate-authority.ts');
  const authority = await CertificateAuthority.load(await CertificateAuthority.create('other'));
  const { certificate: cert, key } = await authority.issueServer(['127.0.0.1'], 1);
  const heard: (string | undefined)[] = [];
  const other = createServer({ cert, key }, (request, response) => {
    heard.push(request.headers.authorization);
    if (request.url?.startsWith('/moved'))
      response.writeHead(301, { Location: `${elsewhere}/info/refs?service=git-upload-pack` }).end();
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    other.closeAllConnections();
    other.close();
  });
  const base = `https://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const secret = { ...data, 'ca.crt': authority.certificate + server.certificate };
  const ask = (path: string, timeoutMs: number) => {
    const url = base + path;
    return cloneIn(t).fetch({
      url,
      ref: undefined,
      credentials: credentials(url, secret),
      signal,
      timeoutMs,
    });
  };
  const before = server.refused;
  await t.rejects(ask('/moved', 20_000), {
    reason: 'FetchFailed',
    message: /sends to another address, which is not followed/,
  });
  t.equal(server.refused, before);
  await t.rejects(ask('/silent', 500), { reason: 'TimedOut', message: /within 0\.5 s/ });
  t.match(heard[0], /^Basic /);
});
