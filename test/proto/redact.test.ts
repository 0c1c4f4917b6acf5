import { createHmac, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { redactObject, redactText } from '../../proto/support/redact.ts';

const TOKEN = `HF1${'ab'.repeat(32)}::abc123.${'x1'.repeat(16)}`;
const JWT = `eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.${createHmac('sha256', 'k').update('x').digest('base64url')}`;
const { privateKey } = generateKeyPairSync('ed25519');
const PEM = privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();

t.test('what opens something is removed wherever it stands', async (t) => {
  const rows: [string, string][] = [
    [`joined with ${TOKEN}.`, 'joined with (removed)'],
    [`a token ${JWT} was sent`, 'a token (removed) was sent'],
    [`key:\n${PEM}after`, 'key:\n(removed)\nafter'],
    [PEM.slice(0, 60), '(removed)'],
    ['Authorization: Bearer abcdefgh1234', 'Authorization: (removed)'],
    ['https://user:hunter2@host/path', 'https://(removed)@host/path'],
    ['password: hunter2', 'password: (removed)'],
    ['{"dbPassword":"hun\\"ter2","color":"blue"}', '{"dbPassword":"(removed)","color":"blue"}'],
    ["API_KEY='x y' run", "API_KEY='(removed)' run"],
    ['tokenFile: /etc/token', 'tokenFile: /etc/token'],
    ['the token was wrong', 'the token was wrong'],
    ['automountServiceAccountToken: true', 'automountServiceAccountToken: true'],
    ['secret: ""', 'secret: ""'],
    [
      'https://x.example/a?sig=abc&access_token=def&v=1',
      'https://x.example/a?sig=(removed)&access_token=(removed)&v=1',
    ],
    ['https://ghp-alone@host/x.git', 'https://(removed)@host/x.git'],
    ['mqtts://user:with@sign@host:8883', 'mqtts://(removed)@host:8883'],
    ['cloned with ghp_abcdefghijklmnop1234', 'cloned with (removed)'],
    ['https://hooks.slack.com/services/T0/B0/xyz', 'https://hooks.slack.com/services/(removed)'],
    ['Server=db;Pwd=hunter2;', 'Server=db;Pwd=(removed);'],
    ['{"db":{"clientSecret":"hunter2"}}', '{"db":{"clientSecret":"(removed)"}}'],
    ['"{\\"a\\":{\\"password\\":\\"hunter2\\"}}"', '"{\\"a\\":{\\"password\\":\\"(removed)\\"}}"'],
    ['app --token hunter2 --color blue', 'app --token (removed) --color blue'],
    ['app --no-token --color blue', 'app --no-token --color blue'],
  ];
  for (const [text, wanted] of rows) t.equal(redactText(text), wanted, text.slice(0, 40));
});

t.test('objects lose values of environments, contents, and what was last applied', async (t) => {
  const pod = {
    kind: 'Pod',
    metadata: { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', note: 'kept' } },
    spec: {
      containers: [
        {
          image: 'app:1',
          args: [`--join=${TOKEN}`, '--db-password', 'hunter2', '--color', 'blue'],
          readinessProbe: { httpGet: { port: 80, httpHeaders: [{ name: 'X-Key', value: 'hunter2' }] } },
          env: [
            { name: 'PLAIN', value: 'x' },
            { name: 'REF', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
          ],
        },
      ],
    },
  };
  t.same(
    redactObject({
      items: [pod, { kind: 'Secret', data: { a: 'eA==' } }, { kind: 'ConfigMap', data: { a: 'b' } }],
    }),
    {
      items: [
        {
          kind: 'Pod',
          metadata: {
            annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '(removed)', note: 'kept' },
          },
          spec: {
            containers: [
              {
                image: 'app:1',
                args: ['--join=(removed)', '--db-password', '(removed)', '--color', 'blue'],
                readinessProbe: {
                  httpGet: { port: 80, httpHeaders: [{ name: 'X-Key', value: '(removed)' }] },
                },
                env: [
                  { name: 'PLAIN', value: '(removed)' },
                  { name: 'REF', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
                ],
              },
            ],
          },
        },
        { kind: 'Secret', data: '(removed)' },
        { kind: 'ConfigMap', data: '(removed)' },
      ],
    },
  );
});

t.test('no text around it hides a secret', async () => {
  const secrets = fc.constantFrom(TOKEN, JWT, PEM.trim());
  const around = fc.string({ unit: fc.constantFrom(' ', '\n', '"', "'", ',', '{', '}', '=', 'a', ':') });
  fc.assert(
    fc.property(around, secrets, around, (before, secret, after) => {
      const body = secret.split('\n').find((line) => !line.startsWith('-----')) ?? secret;
      return !redactText(`${before} ${secret} ${after}`).includes(body.slice(-20));
    }),
  );
});
